"""A board over the network: `vta serve` there, `VTA_DEVICE=grpc://HOST` here (docs/remote.md)."""
