"""A board that is not there: real pynq on top of the Verilated accelerator.

Runs in the board's environment (Python 3.10 or newer, NumPy 1, pynq) and imports nothing of hlsgen but itself.

With the folder ``site`` on PYTHONPATH and the environment variable HLSGEN_EMULATED_BOARD naming a description
(``config.Config``, JSON), ``import pynq`` is all it takes: pynq finds the emulated board as it finds a real one. To
switch boards in one process, call ``device.activate``.

    device   what pynq sees: memory map, bitstream, buffers           hook    lets pynq find it
    dma      the AXI DMA's registers        clocks  the processing system's clock registers
    memory   DRAM, and each buffer's copy in the CPU's cache          faults  what goes wrong on demand
    simulation   the accelerator itself, through ctypes
"""
