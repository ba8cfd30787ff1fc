"""denoisplit: split superimposed fluorescence images and denoise them in the same step, with uncertainty."""
