# The way of the accelerator through Vitis HLS: C simulation, synthesis, co-simulation, export of the IP.
#
#   vitis-run --mode hls --tcl run_hls.tcl    Vitis 2023.1 and later
#   vitis_hls -f run_hls.tcl                  Vitis HLS 2020.2 to 2024.2
#
# From any folder. What to do stands in options.tcl beside this file, because vitis-run passes no arguments on. A script
# that sources this one may change options before: array set override {stages {csim} work /tmp/trial}.
# Only commands of Tcl 8.5. The exit code is 0 when every stage has left the result it is there for, else 1.

set hls_folder [pwd]
if {[info script] ne ""} {
  set hls_folder [file dirname [file normalize [info script]]]
}

array set option {}
if {[catch {source [file join $hls_folder options.tcl]} message]} {
  puts stderr "hlsgen: failed: options.tcl, which belongs beside run_hls.tcl in $hls_folder: $message"
  exit 1
}
if {[array exists override]} {
  array set option [array get override]
}

# The first result of a stage, wherever in the project the tool's version puts it.
proc hls_result {path} {
  foreach found [glob -nocomplain [file join accel_hls * $path]] {
    return $found
  }
  error "there is no accel_hls/*/$path in [pwd]"
}

proc hls_csim {} {
  csim_design -clean -O -argv "--vectors $::hls_folder/vectors"
}

proc hls_csynth {} {
  csynth_design
  hls_result syn/report/csynth.xml
}

proc hls_cosim {} {
  hls_result syn/report/csynth.xml
  cosim_design -rtl verilog -O -argv "--vectors $::hls_folder/vectors"
  set report [open [hls_result sim/report/accel_hls_cosim.rpt]]
  set text [read $report]
  close $report
  if {![regexp {\|\s*Verilog\s*\|\s*Pass\s*\|} $text]} {
    error "the report does not say that Verilog passed"
  }
}

proc hls_export {} {
  hls_result syn/report/csynth.xml
  export_design -format ip_catalog -rtl verilog -vendor hlsgen -library hls -version 1.0
  hls_result impl/ip/component.xml
}

# The project with its sources and settings. It is made anew for a synthesis, and otherwise gone on with.
proc hls_open {} {
  global hls_folder option
  if {[lsearch -exact $option(stages) csynth] >= 0} {
    open_project -reset accel_hls
  } else {
    open_project accel_hls
  }
  set_top accel_hls
  # AMD's headers take the place of those in sim/, which is not on the include path for that reason.
  set flags "-std=c++14 -DHLSGEN_AP -I$hls_folder"
  add_files -cflags $flags "$hls_folder/top.cpp"
  add_files -tb -cflags $flags "$hls_folder/testbench.cpp"
  if {[lsearch -exact $option(stages) csynth] >= 0} {
    open_solution -reset -flow_target vivado solution
  } else {
    open_solution -flow_target vivado solution
  }
  set_part $option(part)
  create_clock -period $option(period) -name default
  set_clock_uncertainty $option(uncertainty)
  # A pipeline that stalls keeps the last image of a batch inside until another one pushes it out; one that flushes
  # does not.
  config_compile -pipeline_style flp
  config_dataflow -strict_mode $option(dataflow_check)
  config_rtl -module_auto_prefix -reset control -reset_level low
  # Not vital, and not the same in every version: names stay whole, and as many images overlap as the plan has.
  if {[catch {config_compile -name_max_length 128} message]} {
    puts "hlsgen: long names will be cut: $message"
  }
  if {[catch {config_dataflow -start_fifo_depth $option(images)} message]} {
    puts "hlsgen: fewer images may overlap: $message"
  }
}

proc hls_run {} {
  global hls_folder option
  if {[regexp {[][\s"'$\\;{}()&|<>*?!#]} "$hls_folder$option(work)" character]} {
    error "a path with the character '$character', which the tool does not take: move the folder"
  }
  foreach stage $option(stages) {
    if {[lsearch -exact {csim csynth cosim export} $stage] < 0} {
      error "options.tcl: there is no stage '$stage'; stages are csim, csynth, cosim and export"
    }
  }
  set work [file join $hls_folder $option(work)]
  file mkdir $work
  cd $work
  hls_open
  foreach stage {csim csynth cosim export} {
    if {[lsearch -exact $option(stages) $stage] >= 0} {
      puts "hlsgen: begin $stage"
      flush stdout
      if {[catch {hls_$stage} message]} {
        error "$stage failed: $message"
      }
      puts "hlsgen: end $stage"
    }
  }
}

if {[catch {hls_run} message]} {
  puts stderr "hlsgen: failed: $message"
  exit 1
}
puts "hlsgen: finished"
exit 0
