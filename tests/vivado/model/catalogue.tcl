# IPs as the harness knows them: per VLNV without version, parameters with their defaults and legal values, pins and
# interfaces, which depend on the parameters. Facts of UG585, UG1085, PG021, PG059, PG164, PG247.
#
#   parameter  name {default legal}      legal: a list of values, "lo..hi", or * for any
#   pin        {name direction type}     type: clk, rst
#   interface  {name mode protocol clock required}     clock: the pin that clocks it

namespace eval catalogue {
    variable latest
    array set latest {
        xilinx.com:ip:processing_system7 5.5
        xilinx.com:ip:zynq_ultra_ps_e 3.3
        xilinx.com:ip:axi_dma 7.1
        xilinx.com:ip:axi_interconnect 2.1
        xilinx.com:ip:smartconnect 1.0
        xilinx.com:ip:proc_sys_reset 5.0
    }
    # of the accelerator: interfaces and address blocks of its component.xml, see the Python side
    variable accelerator {}
}

proc catalogue::parameters {name} {
    switch -glob -- $name {
        *:processing_system7 {
            set all {
                PCW_CRYSTAL_PERIPHERAL_FREQMHZ {33.333333 *} PCW_APU_PERIPHERAL_FREQMHZ {666.666666 *}
                PCW_UIPARAM_DDR_FREQ_MHZ {533.333333 *} PCW_S_AXI_HP0_DATA_WIDTH {64 {32 64}}
                PCW_FCLK0_PERIPHERAL_CLKSRC {{IO PLL} {{IO PLL} {ARM PLL} {DDR PLL}}}
                PCW_FPGA0_PERIPHERAL_FREQMHZ {50 0.1..250} PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ {50 {}}
                PCW_EN_CLK0_PORT {1 {0 1}} PCW_EN_RST0_PORT {1 {0 1}} PCW_USE_FABRIC_INTERRUPT {0 {0 1}}
                PCW_USE_M_AXI_GP0 {1 {0 1}} PCW_USE_M_AXI_GP1 {0 {0 1}} PCW_USE_S_AXI_ACP {0 {0 1}}
            }
            foreach port {GP0 GP1 HP0 HP1 HP2 HP3} {
                lappend all PCW_USE_S_AXI_$port {0 {0 1}}
            }
            foreach index {1 2 3} {
                lappend all PCW_EN_CLK${index}_PORT {0 {0 1}}
            }
            return $all
        }
        *:zynq_ultra_ps_e {
            set all {
                PSU__PSS_REF_CLK__FREQMHZ {33.333 *} PSU__MAXIGP0__DATA_WIDTH {128 {32 64 128}}
                PSU__SAXIGP2__DATA_WIDTH {128 {32 64 128}} PSU__HIGH_ADDRESS__ENABLE {0 {0 1}}
                PSU__USE__IRQ0 {1 {0 1}} PSU__USE__IRQ1 {0 {0 1}} PSU__USE__S_AXI_ACP {0 {0 1}}
                PSU__USE__S_AXI_ACE {0 {0 1}} PSU__USE__FABRIC__RST {1 {0 1}} PSU__NUM_FABRIC_RESETS {1 1..4}
                PSU__CRL_APB__PL0_REF_CTRL__SRCSEL {RPLL {IOPLL RPLL DPLL}}
                PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ {100 0.1..1000}
                PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ {100 {}}
                PSU__USE__M_AXI_GP0 {1 {0 1}} PSU__USE__M_AXI_GP1 {1 {0 1}} PSU__USE__M_AXI_GP2 {0 {0 1}}
                PSU__FPGA_PL0_ENABLE {1 {0 1}}
            }
            foreach index {0 1 2 3 4 5 6} {
                lappend all PSU__USE__S_AXI_GP$index {0 {0 1}}
            }
            foreach index {1 2 3} {
                lappend all PSU__FPGA_PL${index}_ENABLE {0 {0 1}}
            }
            return $all
        }
        *:axi_dma {
            set all {
                c_include_sg {1 {0 1}} c_sg_include_stscntrl_strm {1 {0 1}} c_sg_length_width {14 8..26}
                c_addr_width {32 32..64} c_micro_dma {0 {0 1}} c_s_axis_s2mm_tdata_width.VALUE_SRC {PROPAGATED {USER}}
            }
            foreach {channel stream} {mm2s m s2mm s} {
                lappend all c_include_$channel {1 {0 1}} c_m_axi_${channel}_data_width {32 {32 64 128 256 512 1024}} \
                    c_${stream}_axis_${channel}_tdata_width {32 {8 16 32 64 128 256 512 1024}} \
                    c_include_${channel}_dre {0 {0 1}} c_${channel}_burst_size {16 {2 4 8 16 32 64 128 256}}
            }
            return $all
        }
        *:axi_interconnect - *:smartconnect {
            return {NUM_SI {1 1..16} NUM_MI {2 1..16}}
        }
    }
    return {}
}

# Pins and interfaces of a cell with these parameters.
proc catalogue::boundary {name values} {
    array set value $values
    set pins {}
    set interfaces {}
    switch -glob -- $name {
        *:processing_system7 {
            if {$value(PCW_EN_CLK0_PORT)} {lappend pins {FCLK_CLK0 O clk}}
            if {$value(PCW_EN_RST0_PORT)} {lappend pins {FCLK_RESET0_N O rst}}
            foreach {port mode} {M_AXI_GP0 Master M_AXI_GP1 Master S_AXI_GP0 Slave S_AXI_GP1 Slave S_AXI_ACP Slave
                S_AXI_HP0 Slave S_AXI_HP1 Slave S_AXI_HP2 Slave S_AXI_HP3 Slave} {
                if {$value(PCW_USE_$port)} {
                    lappend pins [list ${port}_ACLK I clk]
                    lappend interfaces [list $port $mode aximm ${port}_ACLK 0]
                }
            }
            lappend interfaces {DDR Master ddr {} external} {FIXED_IO Master fixedio {} external}
        }
        *:zynq_ultra_ps_e {
            foreach index {0 1 2 3} {
                if {$value(PSU__FPGA_PL${index}_ENABLE)} {lappend pins [list pl_clk$index O clk]}
            }
            if {$value(PSU__USE__FABRIC__RST)} {lappend pins {pl_resetn0 O rst}}
            foreach {port clock mode parameter} {
                M_AXI_HPM0_FPD maxihpm0_fpd_aclk Master M_AXI_GP0 M_AXI_HPM1_FPD maxihpm1_fpd_aclk Master M_AXI_GP1
                M_AXI_HPM0_LPD maxihpm0_lpd_aclk Master M_AXI_GP2 S_AXI_HPC0_FPD saxihpc0_fpd_aclk Slave S_AXI_GP0
                S_AXI_HPC1_FPD saxihpc1_fpd_aclk Slave S_AXI_GP1 S_AXI_HP0_FPD saxihp0_fpd_aclk Slave S_AXI_GP2
                S_AXI_HP1_FPD saxihp1_fpd_aclk Slave S_AXI_GP3 S_AXI_HP2_FPD saxihp2_fpd_aclk Slave S_AXI_GP4
                S_AXI_HP3_FPD saxihp3_fpd_aclk Slave S_AXI_GP5 S_AXI_LPD saxi_lpd_aclk Slave S_AXI_GP6
                S_AXI_ACP_FPD saxiacp_fpd_aclk Slave S_AXI_ACP S_AXI_ACE_FPD sacefpd_aclk Slave S_AXI_ACE
            } {
                if {$value(PSU__USE__$parameter)} {
                    lappend pins [list $clock I clk]
                    lappend interfaces [list $port $mode aximm $clock 0]
                }
            }
        }
        *:axi_dma {
            set pins {{s_axi_lite_aclk I clk} {axi_resetn I rst}}
            set interfaces {{S_AXI_LITE Slave aximm s_axi_lite_aclk 1}}
            foreach {channel stream mode} {MM2S M_AXIS_MM2S Master S2MM S_AXIS_S2MM Slave} {
                set lower [string tolower $channel]
                if {$value(c_include_$lower)} {
                    lappend pins [list m_axi_${lower}_aclk I clk]
                    lappend interfaces [list M_AXI_$channel Master aximm m_axi_${lower}_aclk 1] \
                        [list $stream $mode axis m_axi_${lower}_aclk 1]
                }
            }
            if {$value(c_include_sg)} {
                lappend pins {m_axi_sg_aclk I clk}
                lappend interfaces {M_AXI_SG Master aximm m_axi_sg_aclk 1}
            }
        }
        *:axi_interconnect {
            set pins {{ACLK I clk} {ARESETN I rst}}
            foreach {side count mode} [list S $value(NUM_SI) Slave M $value(NUM_MI) Master] {
                for {set index 0} {$index < $count} {incr index} {
                    set end [format %s%02d $side $index]
                    lappend pins [list ${end}_ACLK I clk] [list ${end}_ARESETN I rst]
                    lappend interfaces [list ${end}_AXI $mode aximm ${end}_ACLK 1]
                }
            }
        }
        *:smartconnect {
            set pins {{aclk I clk} {aresetn I rst}}
            foreach {side count mode} [list S $value(NUM_SI) Slave M $value(NUM_MI) Master] {
                for {set index 0} {$index < $count} {incr index} {
                    lappend interfaces [list [format %s%02d_AXI $side $index] $mode aximm aclk 1]
                }
            }
        }
        *:proc_sys_reset {
            set pins {
                {slowest_sync_clk I clk} {ext_reset_in I rst} {interconnect_aresetn O rst} {peripheral_aresetn O rst}
            }
        }
        default {
            variable accelerator
            set pins {{ap_clk I clk} {ap_rst_n I rst}}
            foreach {interface mode protocol} $accelerator {
                lappend interfaces [list $interface $mode $protocol ap_clk 1]
            }
        }
    }
    return [list $pins $interfaces]
}

# What a board's preset switches on that this design does not want.
proc catalogue::preset {name} {
    switch -glob -- $name {
        *:processing_system7 {
            return {PCW_EN_CLK1_PORT 1 PCW_USE_M_AXI_GP1 1 PCW_USE_FABRIC_INTERRUPT 1}
        }
        *:zynq_ultra_ps_e {
            return {PSU__USE__M_AXI_GP2 1 PSU__FPGA_PL1_ENABLE 1 PSU__CRL_APB__PL0_REF_CTRL__SRCSEL RPLL}
        }
    }
}
