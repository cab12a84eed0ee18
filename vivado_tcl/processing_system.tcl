# The processing system: one clock, one reset, one master port to registers, one slave port to DRAM, nothing else.
#
# What a board's preset enables besides (further ports, clocks, interrupts) is switched off, for a port that is there
# has to be clocked. Each family's procedure returns the names that differ: pins for clock and reset, the pins that
# clock the two ports, and where the DRAM is (interface/segment).

proc hlsgen::zynq7 {cell} {
    apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 -config [list \
        make_external "FIXED_IO, DDR" apply_board_preset [has_board] Master Disable Slave Disable \
    ] $cell
    if {![has_board]} {
        set_property CONFIG.PCW_CRYSTAL_PERIPHERAL_FREQMHZ [setting crystal_mhz] $cell
        if {[setting crystal_mhz] == 50} {
            # multiples of the crystal; the defaults are those of 33.333 MHz
            set_property -dict [list \
                CONFIG.PCW_APU_PERIPHERAL_FREQMHZ 650 \
                CONFIG.PCW_UIPARAM_DDR_FREQ_MHZ 525 \
            ] $cell
        }
    }
    set_property -dict [list \
        CONFIG.PCW_USE_M_AXI_GP0 1 \
        CONFIG.PCW_USE_M_AXI_GP1 0 \
        CONFIG.PCW_USE_S_AXI_GP0 0 \
        CONFIG.PCW_USE_S_AXI_GP1 0 \
        CONFIG.PCW_USE_S_AXI_ACP 0 \
        CONFIG.PCW_USE_S_AXI_HP0 1 \
        CONFIG.PCW_USE_S_AXI_HP1 0 \
        CONFIG.PCW_USE_S_AXI_HP2 0 \
        CONFIG.PCW_USE_S_AXI_HP3 0 \
        CONFIG.PCW_S_AXI_HP0_DATA_WIDTH [setting memory_bits] \
        CONFIG.PCW_USE_FABRIC_INTERRUPT 0 \
        CONFIG.PCW_EN_CLK0_PORT 1 \
        CONFIG.PCW_EN_CLK1_PORT 0 \
        CONFIG.PCW_EN_CLK2_PORT 0 \
        CONFIG.PCW_EN_CLK3_PORT 0 \
        CONFIG.PCW_EN_RST0_PORT 1 \
        CONFIG.PCW_FCLK0_PERIPHERAL_CLKSRC {IO PLL} \
    ] $cell
    set_clock $cell PCW_FPGA0_PERIPHERAL_FREQMHZ PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ
    return [dict create \
        clock FCLK_CLK0 \
        reset FCLK_RESET0_N \
        port_clocks [list [setting control_port]_ACLK [setting memory_port]_ACLK] \
        memories [list [setting memory_port]/HP0_DDR_LOWOCM] \
    ]
}

proc hlsgen::mpsoc {cell} {
    if {[has_board]} {
        apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e -config [list apply_board_preset 1] $cell
    } else {
        set_property CONFIG.PSU__PSS_REF_CLK__FREQMHZ [setting crystal_mhz] $cell
    }
    # M_AXI_GP0 is M_AXI_HPM0_FPD, S_AXI_GP2 is S_AXI_HP0_FPD; 128 bits are the ports' width after power-on
    set_property -dict [list \
        CONFIG.PSU__USE__M_AXI_GP0 1 \
        CONFIG.PSU__USE__M_AXI_GP1 0 \
        CONFIG.PSU__USE__M_AXI_GP2 0 \
        CONFIG.PSU__MAXIGP0__DATA_WIDTH 128 \
        CONFIG.PSU__USE__S_AXI_GP0 0 \
        CONFIG.PSU__USE__S_AXI_GP1 0 \
        CONFIG.PSU__USE__S_AXI_GP2 1 \
        CONFIG.PSU__USE__S_AXI_GP3 0 \
        CONFIG.PSU__USE__S_AXI_GP4 0 \
        CONFIG.PSU__USE__S_AXI_GP5 0 \
        CONFIG.PSU__USE__S_AXI_GP6 0 \
        CONFIG.PSU__USE__S_AXI_ACP 0 \
        CONFIG.PSU__USE__S_AXI_ACE 0 \
        CONFIG.PSU__SAXIGP2__DATA_WIDTH [setting memory_bits] \
        CONFIG.PSU__HIGH_ADDRESS__ENABLE 1 \
        CONFIG.PSU__USE__IRQ0 0 \
        CONFIG.PSU__USE__IRQ1 0 \
        CONFIG.PSU__USE__FABRIC__RST 1 \
        CONFIG.PSU__NUM_FABRIC_RESETS 1 \
        CONFIG.PSU__FPGA_PL0_ENABLE 1 \
        CONFIG.PSU__FPGA_PL1_ENABLE 0 \
        CONFIG.PSU__FPGA_PL2_ENABLE 0 \
        CONFIG.PSU__FPGA_PL3_ENABLE 0 \
        CONFIG.PSU__CRL_APB__PL0_REF_CTRL__SRCSEL IOPLL \
    ] $cell
    set_clock $cell PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ
    return [dict create \
        clock pl_clk0 \
        reset pl_resetn0 \
        port_clocks {maxihpm0_fpd_aclk saxihp0_fpd_aclk} \
        memories {SAXIGP2/HP0_DDR_LOW SAXIGP2/HP0_DDR_HIGH} \
    ]
}

proc hlsgen::has_board {} {
    return [expr {[get_property board_part [current_project]] ne ""}]
}

# Ask for a clock such that what Vivado constrains is not slower than the accelerator's clock.
#
# Without a board file Vivado may assume another PLL than the board has, so that it cannot make the clock exactly. A
# somewhat faster one is as good: the driver sets the real clock, and timing has been met for it.
proc hlsgen::set_clock {cell wish actual} {
    set wanted [setting clock_mhz]
    foreach factor {1 1.01 1.02 1.05 1.1 1.15 1.2 1.25 1.3} {
        set_property CONFIG.$wish [format %.6f [expr {$wanted * $factor}]] $cell
        set made [get_property CONFIG.$actual $cell]
        # a crystal's frequency has six digits, 99.999 MHz is 100 MHz
        if {$made >= $wanted * 0.9995} {
            if {$made > $wanted * 1.0005} {
                say "clock $wanted MHz, constrained to $made MHz, the nearest that Vivado's PLL makes for this part"
            } else {
                say "clock $made MHz"
            }
            return
        }
    }
    fail clock "the processing system cannot make $wanted MHz: asked for up to 1.3 times that, it makes $made MHz"
}
