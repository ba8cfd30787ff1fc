"""Components of denoisplit for electron-multiplying cameras; see registry.yaml."""
