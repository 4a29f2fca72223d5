"""For authors of plugins: a workspace to try a command in, and the contract every command keeps.

from aictl.testing.contract import check_command
from aictl.testing.workspace import workspace  # a pytest fixture
"""
