# SPDX-License-Identifier: Apache-2.0
"""What the scenarios share: the environment, load, the independent checker and the faults.

Nothing here is used by the product. The checker recomputes results with Python's own arithmetic and
shares no code with the engine.
"""
