"""Runs train.py (or what else is named) with FSDP or DeepSpeed on CPUs.

accelerate offers these only beside accelerators; the sharding itself runs on CPUs with gloo. Only the choice is forced
here: what follows is accelerate's, torch's and DeepSpeed's own.
"""

import os
import runpy
import sys

from accelerate.state import PartialState
from accelerate.utils import DistributedType

os.environ["ACCELERATE_TORCH_DEVICE"] = "cpu"
PartialState._prepare_backend = lambda *_, **__: ("gloo", DistributedType.MULTI_GPU)
sys.argv = sys.argv[1:]
sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[0])))
runpy.run_path(sys.argv[0], run_name="__main__")
