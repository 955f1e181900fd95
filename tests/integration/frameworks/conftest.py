"""Contexts of real requests, for every test of this folder."""

from __future__ import annotations

from request_contexts import grpc_call, http_call

__all__ = ["grpc_call", "http_call"]
