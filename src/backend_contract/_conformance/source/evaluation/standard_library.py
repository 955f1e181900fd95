"""Functions and attributes of the standard library whose results are always of the same kinds."""

from __future__ import annotations

_METHODS = {
    "str": """
        capitalize casefold center expandtabs format format_map join ljust lower lstrip
        removeprefix removesuffix replace rjust rstrip strip swapcase title translate upper
        zfill
    """,
    "list": "split rsplit splitlines",
    "tuple": "partition rpartition",
    "int": "count find index rfind rindex",
    "bool": "startswith endswith isupper islower isalpha isdigit isidentifier",
    "bytes": "encode",
}
STRING_METHODS = {name: kind for kind, names in _METHODS.items() for name in names.split()}
"""The kind of the result, by the method of a string."""

_FUNCTIONS = {
    "str": """
        builtins.repr builtins.ascii builtins.chr builtins.format builtins.hex builtins.oct
        builtins.bin builtins.input os.getcwd os.path.basename os.path.join socket.gethostname
        textwrap.dedent re.sub json.dumps sys.intern platform.node platform.system
        platform.machine platform.release platform.python_version
    """,
    "int": "builtins.len builtins.ord builtins.hash builtins.id os.getpid enum.auto",
    "bool": """
        builtins.isinstance builtins.issubclass builtins.callable builtins.all builtins.any
        builtins.hasattr os.path.exists os.path.isfile os.path.isdir
    """,
    "list": "builtins.sorted",
    "NoneType": "builtins.print builtins.setattr",
    "io.IOBase": "builtins.open",
    "str NoneType": "os.getenv os.environ.get shutil.which",
    "int NoneType": "os.cpu_count",
    "float": "time.time time.monotonic",
    "importlib.machinery.ModuleSpec NoneType": "importlib.util.find_spec",
}
FUNCTIONS = {name: kinds.split() for kinds, names in _FUNCTIONS.items() for name in names.split()}
"""The kinds of the result, by the full name of a function."""
