# syntax=docker/dockerfile:1
# denoisplit with PyTorch for processors, or for CUDA:
#   docker build --tag denoisplit .
#   docker build --tag denoisplit:cuda --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 .
# PyTorch brings the CUDA libraries along, so that both are built on the same small base; a GPU needs NVIDIA's
# container toolkit on the host: docker run --gpus all ...
ARG PYTHON=3.12

FROM python:${PYTHON}-slim-bookworm AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG EXTRAS=vendor,dask,tensorboard
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/denoisplit
ENV PATH=/opt/denoisplit/bin:$PATH
# The largest layer, which changes least.
COPY constraints.txt /source/
RUN pip install --constraint /source/constraints.txt --index-url "${TORCH_INDEX}" torch
WORKDIR /source
COPY pyproject.toml registry.yaml README.md LICENSE ./
COPY denoisplit ./denoisplit
RUN pip install --constraint constraints.txt ".[${EXTRAS}]"

FROM python:${PYTHON}-slim-bookworm
COPY --from=build /opt/denoisplit /opt/denoisplit
ENV PATH=/opt/denoisplit/bin:$PATH PYTHONUNBUFFERED=1 MPLCONFIGDIR=/tmp/matplotlib
RUN useradd --create-home --uid 1000 denoisplit
USER 1000
WORKDIR /data
ENTRYPOINT ["denoisplit"]
CMD ["--help"]
