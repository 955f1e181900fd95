# FastAPI's Request, which is starlette's. FastAPI is typed: this is for where it is not installed.

from starlette.requests import Request as Request
