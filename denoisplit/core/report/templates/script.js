"use strict";
for (const gallery of document.querySelectorAll(".gallery")) {
  const control = gallery.querySelector(".control");
  if (!control) continue;
  const slider = control.querySelector("input");
  const told = control.querySelector("output");
  const button = control.querySelector("button");
  const pictures = gallery.querySelectorAll("img[data-step]");
  let timer = 0;
  const show = () => {
    for (const picture of pictures) picture.hidden = picture.dataset.step !== slider.value;
    told.textContent = `${slider.value} of ${slider.max}`;
    slider.setAttribute("aria-valuetext", told.textContent);
  };
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    button.textContent = "Play";
  };
  slider.addEventListener("input", () => {
    stop();
    show();
  });
  button.addEventListener("click", () => {
    if (timer) return stop();
    button.textContent = "Stop";
    timer = setInterval(() => {
      slider.value = String((Number(slider.value) % Number(slider.max)) + 1);
      show();
    }, 400);
  });
  control.hidden = false;
  show();
}
