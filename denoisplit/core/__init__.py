"""The core: registries, spec, network, images, training, prediction, assessment, storage."""
