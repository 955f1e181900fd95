# The module that defines the names. The classes are in the stub of the package, so that checkers
# call them by the name under which they are imported.

from aconfig import AttributeAccessDict as AttributeAccessDict
from aconfig import Config as Config
from aconfig import ImmutableAttributeAccessDict as ImmutableAttributeAccessDict
from aconfig import ImmutableConfig as ImmutableConfig
