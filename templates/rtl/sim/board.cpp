// The accelerator as a shared library: accel.v in Verilator, its streams fed from and written to memory, its registers
// reached by AXI4-Lite transactions. What drives it, hlsgen/board_emulator/simulation.py, declares the same functions.
//
// A beat that is offered stays until it is taken, as AXI4-Stream demands, unless its transfer is stopped.
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>

#include <unistd.h>

#include "Vtop.h"
#include "verilated.h"

namespace {

constexpr int RESET_CYCLES = 16;     // that ap_rst_n is held low: a multiple of what any IP asks for
constexpr int BUS_CYCLES = 1000;     // after which an AXI4-Lite access counts as never answered
constexpr uint64_t NEVER = ~uint64_t{0};

// Why a transfer is over; the numbers of simulation.py's State.
enum State : int { IDLE = 0, ACTIVE = 1, DONE = 2, OVERFLOW = 3, FAILED = 4 };

struct Transfer {
    uint8_t *data = nullptr;
    uint64_t length = 0;            // bytes
    uint64_t moved = 0;             // bytes
    uint64_t fails_after = NEVER;   // bytes
    State state = IDLE;
};

struct Board {
    VerilatedContext context;
    std::unique_ptr<Vtop> top;
    Transfer send, receive;
    uint64_t last_after = NEVER;  // bytes after which a received beat counts as the last one, whatever TLAST says
    bool ignore_last = false;
    double gaps = 0, stalls = 0;
    std::mt19937_64 random;
    bool offered = false;         // the beat was there in the last cycle and was not taken
    uint64_t cycle = 0;
    uint64_t moved_at = 0;        // cycle of the last beat in or out, or of the last beginning of a transfer

    static constexpr uint64_t IN_BYTES = sizeof(Vtop::s_axis_tdata);
    static constexpr uint64_t OUT_BYTES = sizeof(Vtop::m_axis_tdata);

    bool chance(double share) {
        return share > 0 && std::uniform_real_distribution<double>(0, 1)(random) < share;
    }

    void offer() {
        const bool valid = send.state == ACTIVE && (offered || !chance(gaps));
        top->s_axis_tvalid = valid;
        if (!valid) return;
        const uint64_t left = send.length - send.moved;
        std::memset(&top->s_axis_tdata, 0, IN_BYTES);
        std::memcpy(&top->s_axis_tdata, send.data + send.moved, left < IN_BYTES ? left : IN_BYTES);
        top->s_axis_tlast = left <= IN_BYTES;
    }

    void sent() {
        const uint64_t left = send.length - send.moved;
        send.moved += left < IN_BYTES ? left : IN_BYTES;
        if (send.moved >= send.fails_after) send.state = FAILED;
        else if (send.moved == send.length) send.state = DONE;
    }

    void received() {
        uint64_t keep = 0;
        for (uint64_t lanes = top->m_axis_tkeep; lanes & 1; lanes >>= 1) keep++;
        const uint64_t room = receive.length - receive.moved;
        const uint64_t kept = keep < room ? keep : room;
        std::memcpy(receive.data + receive.moved, &top->m_axis_tdata, kept);
        receive.moved += kept;
        if (receive.moved >= receive.fails_after) receive.state = FAILED;
        else if (keep > room) receive.state = OVERFLOW;
        else if ((top->m_axis_tlast && !ignore_last) || receive.moved >= last_after) receive.state = DONE;
    }

    // One clock cycle: inputs change, the streams' handshakes are seen, then the edge.
    void clock() {
        offer();
        top->m_axis_tready = receive.state == ACTIVE && !chance(stalls);
        settle();
        const bool in = top->s_axis_tvalid && top->s_axis_tready;
        const bool out = top->m_axis_tvalid && top->m_axis_tready;
        offered = top->s_axis_tvalid && !in;
        if (in) sent();
        if (out) received();
        if (in || out) moved_at = cycle;
        top->ap_clk = 1;
        top->eval();
        context.timeInc(10);
        cycle++;
    }

    // Outputs that follow from the inputs as they are.
    void settle() {
        top->ap_clk = 0;
        top->eval();
    }
};

std::mutex folder_mutex;  // the current folder belongs to the process

Board *board(void *handle) { return static_cast<Board *>(handle); }

}  // namespace

extern "C" {

// Memories are read from `folder`; registers without a reset begin with values drawn from `seed`. Null: no such folder.
void *hlsgen_create(const char *folder, uint64_t seed, double gaps, double stalls) {
    std::lock_guard<std::mutex> guard(folder_mutex);
    char before[4096];
    if (!getcwd(before, sizeof before) || chdir(folder) != 0) return nullptr;
    auto made = std::make_unique<Board>();
    made->context.randSeed(static_cast<int>(seed % 0x7fffffff) + 1);
    made->context.randReset(2);
    made->top = std::make_unique<Vtop>(&made->context, "accel");
    made->random.seed(seed);
    made->gaps = gaps;
    made->stalls = stalls;
    Vtop &top = *made->top;
    top.ap_clk = top.ap_rst_n = 0;
    top.s_axis_tvalid = top.m_axis_tready = 0;
    top.s_axi_control_arvalid = top.s_axi_control_awvalid = top.s_axi_control_wvalid = 0;
    top.s_axi_control_rready = top.s_axi_control_bready = 1;
    top.eval();  // reads the memories
    for (int i = 0; i < RESET_CYCLES; i++) made->clock();
    top.ap_rst_n = 1;
    for (int i = 0; i < RESET_CYCLES; i++) made->clock();
    if (chdir(before) != 0) return nullptr;
    return made.release();
}

void hlsgen_destroy(void *handle) { delete board(handle); }

// Begin to send `length` bytes of `data` with TLAST on the last beat; the memory stays the caller's, as it is.
void hlsgen_send(void *handle, uint8_t *data, uint64_t length, uint64_t fails_after) {
    board(handle)->send = {data, length, 0, fails_after, ACTIVE};
    board(handle)->moved_at = board(handle)->cycle;
}

// Begin to receive up to TLAST into `length` bytes at `data`.
void hlsgen_receive(void *handle, uint8_t *data, uint64_t length, uint64_t fails_after, uint64_t last_after,
                    int ignore_last) {
    board(handle)->receive = {data, length, 0, fails_after, ACTIVE};
    board(handle)->last_after = last_after;
    board(handle)->ignore_last = ignore_last != 0;
    board(handle)->moved_at = board(handle)->cycle;
}

// Drop both transfers.
void hlsgen_stop(void *handle) {
    board(handle)->send = {};
    board(handle)->receive = {};
    board(handle)->offered = false;
}

// State and bytes moved of the transfer that sends (0) or receives (1).
int hlsgen_state(void *handle, int receives, uint64_t *moved) {
    const Transfer &transfer = receives ? board(handle)->receive : board(handle)->send;
    *moved = transfer.moved;
    return transfer.state;
}

// Run for `cycles`, less when a transfer that is `awaited` (bit 0: sends, bit 1: receives) ends or no beat has moved
// for `quiet` cycles. Returns the cycles run.
uint64_t hlsgen_run(void *handle, uint64_t cycles, uint64_t quiet, int awaited) {
    Board &b = *board(handle);
    const uint64_t begin = b.cycle;
    const bool sends = (awaited & 1) && b.send.state == ACTIVE;
    const bool receives = (awaited & 2) && b.receive.state == ACTIVE;
    while (b.cycle - begin < cycles) {
        b.clock();
        if (sends && b.send.state != ACTIVE) break;
        if (receives && b.receive.state != ACTIVE) break;
        if (b.cycle - b.moved_at >= quiet) break;
    }
    return b.cycle - begin;
}

uint64_t hlsgen_cycle(void *handle) { return board(handle)->cycle; }

uint64_t hlsgen_quiet(void *handle) { return board(handle)->cycle - board(handle)->moved_at; }

// AXI4-Lite, 32 bits: the response code (0 OKAY), or -1 when no answer comes.
int hlsgen_read(void *handle, uint32_t address, uint32_t *value) {
    Board &b = *board(handle);
    b.top->s_axi_control_araddr = address;
    b.top->s_axi_control_arvalid = 1;
    for (int i = 0; i < BUS_CYCLES; i++) {
        b.settle();
        const bool taken = b.top->s_axi_control_arvalid && b.top->s_axi_control_arready;
        const bool answered = b.top->s_axi_control_rvalid;
        const int response = b.top->s_axi_control_rresp;
        *value = b.top->s_axi_control_rdata;
        b.clock();
        if (taken) b.top->s_axi_control_arvalid = 0;
        if (answered) return response;
    }
    b.top->s_axi_control_arvalid = 0;
    return -1;
}

int hlsgen_write(void *handle, uint32_t address, uint32_t value) {
    Board &b = *board(handle);
    b.top->s_axi_control_awaddr = address;
    b.top->s_axi_control_wdata = value;
    b.top->s_axi_control_wstrb = 0xf;
    b.top->s_axi_control_awvalid = 1;
    b.top->s_axi_control_wvalid = 1;
    for (int i = 0; i < BUS_CYCLES; i++) {
        b.settle();
        const bool address_taken = b.top->s_axi_control_awvalid && b.top->s_axi_control_awready;
        const bool data_taken = b.top->s_axi_control_wvalid && b.top->s_axi_control_wready;
        const bool answered = b.top->s_axi_control_bvalid;
        const int response = b.top->s_axi_control_bresp;
        b.clock();
        if (address_taken) b.top->s_axi_control_awvalid = 0;
        if (data_taken) b.top->s_axi_control_wvalid = 0;
        if (answered) return response;
    }
    b.top->s_axi_control_awvalid = b.top->s_axi_control_wvalid = 0;
    return -1;
}
}
