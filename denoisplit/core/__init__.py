"""The core: registries, spec, network, images, training, inference, assessment, storage."""
