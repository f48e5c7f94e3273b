"""Several processes that train as one: PyTorch's torch.distributed, as far as averaging gradients needs it.

The messages are MPI's for arrays of the CPU (`mpi4py`, started by `mpiexec -n 2 python train.py`) and NCCL's for those of
GPUs (through CuPy; one process a GPU). `nn.parallel.DistributedDataParallel` stands on it.
"""

from .group import (
    ReduceOp,
    all_reduce,
    barrier,
    broadcast,
    destroy_process_group,
    get_backend,
    get_rank,
    get_world_size,
    init_process_group,
    is_available,
    is_initialized,
)

__all__ = ["ReduceOp", "all_reduce", "barrier", "broadcast", "destroy_process_group", "get_backend", "get_rank",
           "get_world_size", "init_process_group", "is_available", "is_initialized"]
