// AMD's published ap_int.h, which refuses to be read with __SYNTHESIS__ defined.
#ifndef STAND_IN_AP_INT_H
#define STAND_IN_AP_INT_H
#ifdef __SYNTHESIS__
#undef __SYNTHESIS__
#include_next <ap_int.h>
#define __SYNTHESIS__
#else
#include_next <ap_int.h>
#endif
#endif
