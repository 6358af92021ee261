"""Plain NumPy kernels in the usual layouts: the specification of every fast one, and what eager operations call."""

# ruff: noqa: F403
from tinyticket.kernels.reference.activations import *
from tinyticket.kernels.reference.batch_norm import *
from tinyticket.kernels.reference.convolution import *
from tinyticket.kernels.reference.gather_sparse import *
from tinyticket.kernels.reference.linear import *
from tinyticket.kernels.reference.optimizers import *
from tinyticket.kernels.reference.pooling import *
from tinyticket.kernels.reference.softmax import *
from tinyticket.kernels.reference.sparse_linear import *
from tinyticket.kernels.reference.squared_error import *
from tinyticket.kernels.reference.srelu import *
from tinyticket.kernels.reference.windows import *
from tinyticket.kernels.reference.winograd import *
