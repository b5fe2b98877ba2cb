// The control block: identity, soft reset, sticky status with an interrupt, counters.
//
// It stands beside the four modules and watches the handshakes between them, the FIFOs and memory;
// nothing passes through it. Registers: hls/generated/vta_control_regs.vh, which is written from
// the register table. One clock, synchronous reset. Verilog-2001.
`default_nettype none

module vta_control #(
    // What was built: filled in by the build scripts, read by software.
    parameter [31:0] FINGERPRINT_HI = 32'h0,
    parameter [31:0] FINGERPRINT_LO = 32'h0,
    parameter [31:0] CAPABILITIES = 32'h0,
    parameter [31:0] SOURCE = 32'h0
) (
    input wire aclk,
    input wire aresetn,

    input  wire [11:0] s_axi_control_awaddr,
    input  wire        s_axi_control_awvalid,
    output wire        s_axi_control_awready,
    input  wire [31:0] s_axi_control_wdata,
    input  wire [ 3:0] s_axi_control_wstrb,
    input  wire        s_axi_control_wvalid,
    output wire        s_axi_control_wready,
    output wire [ 1:0] s_axi_control_bresp,
    output wire        s_axi_control_bvalid,
    input  wire        s_axi_control_bready,
    input  wire [11:0] s_axi_control_araddr,
    input  wire        s_axi_control_arvalid,
    output wire        s_axi_control_arready,
    output wire [31:0] s_axi_control_rdata,
    output wire [ 1:0] s_axi_control_rresp,
    output wire        s_axi_control_rvalid,
    input  wire        s_axi_control_rready,

    output wire irq,
    output wire fifo_resetn,
    output wire module_resetn,

    // FIFOs: `push` is the side of the module that writes, `pop` that of the module that reads.
    input wire load_queue_push_tvalid,
    input wire load_queue_push_tready,
    input wire load_queue_pop_tvalid,
    input wire load_queue_pop_tready,
    input wire compute_queue_push_tvalid,
    input wire compute_queue_push_tready,
    input wire compute_queue_pop_tvalid,
    input wire compute_queue_pop_tready,
    input wire store_queue_push_tvalid,
    input wire store_queue_push_tready,
    input wire store_queue_pop_tvalid,
    input wire store_queue_pop_tready,
    input wire l2g_push_tvalid,
    input wire l2g_push_tready,
    input wire l2g_pop_tvalid,
    input wire l2g_pop_tready,
    input wire g2l_push_tvalid,
    input wire g2l_push_tready,
    input wire g2l_pop_tvalid,
    input wire g2l_pop_tready,
    input wire g2s_push_tvalid,
    input wire g2s_push_tready,
    input wire g2s_pop_tvalid,
    input wire g2s_pop_tready,
    input wire s2g_push_tvalid,
    input wire s2g_push_tready,
    input wire s2g_pop_tvalid,
    input wire s2g_pop_tready,

    // AXI masters of the modules.
    input wire insn_port_arvalid,
    input wire insn_port_arready,
    input wire insn_port_rvalid,
    input wire insn_port_rready,
    input wire insn_port_rlast,
    input wire inp_port_arvalid,
    input wire inp_port_arready,
    input wire inp_port_rvalid,
    input wire inp_port_rready,
    input wire inp_port_rlast,
    input wire wgt_port_arvalid,
    input wire wgt_port_arready,
    input wire wgt_port_rvalid,
    input wire wgt_port_rready,
    input wire wgt_port_rlast,
    input wire uop_port_arvalid,
    input wire uop_port_arready,
    input wire uop_port_rvalid,
    input wire uop_port_rready,
    input wire uop_port_rlast,
    input wire acc_port_arvalid,
    input wire acc_port_arready,
    input wire acc_port_rvalid,
    input wire acc_port_rready,
    input wire acc_port_rlast,
    input wire out_port_awvalid,
    input wire out_port_awready,
    input wire out_port_bvalid,
    input wire out_port_bready,

    // Pulses of the modules.
    input wire [3:0] fetch_fault,
    input wire       fetch_fault_ap_vld,
    input wire [3:0] load_fault,
    input wire       load_fault_ap_vld,
    input wire [3:0] compute_fault,
    input wire       compute_fault_ap_vld,
    input wire [3:0] store_fault,
    input wire       store_fault_ap_vld,
    input wire       finished_ap_vld
);

    `include "vta_control_regs.vh"

    wire        write_enable;
    wire [11:0] write_address;
    wire [31:0] write_data;
    wire [31:0] write_mask;
    wire [11:0] read_address;
    wire [31:0] read_data;

    vta_control_axil axil (
        .aclk(aclk),
        .aresetn(aresetn),
        .awaddr(s_axi_control_awaddr),
        .awvalid(s_axi_control_awvalid),
        .awready(s_axi_control_awready),
        .wdata(s_axi_control_wdata),
        .wstrb(s_axi_control_wstrb),
        .wvalid(s_axi_control_wvalid),
        .wready(s_axi_control_wready),
        .bresp(s_axi_control_bresp),
        .bvalid(s_axi_control_bvalid),
        .bready(s_axi_control_bready),
        .araddr(s_axi_control_araddr),
        .arvalid(s_axi_control_arvalid),
        .arready(s_axi_control_arready),
        .rdata(s_axi_control_rdata),
        .rresp(s_axi_control_rresp),
        .rvalid(s_axi_control_rvalid),
        .rready(s_axi_control_rready),
        .write_enable(write_enable),
        .write_address(write_address),
        .write_data(write_data),
        .write_mask(write_mask),
        .read_address(read_address),
        .read_data(read_data)
    );

    // ---- taps: what the ports and modules do in this cycle -------------------------------

    wire soft_reset;
    wire clear_taps = !aresetn || soft_reset;
    wire [PORTS-1:0] begins = {
        out_port_awvalid && out_port_awready,
        acc_port_arvalid && acc_port_arready,
        uop_port_arvalid && uop_port_arready,
        wgt_port_arvalid && wgt_port_arready,
        inp_port_arvalid && inp_port_arready,
        insn_port_arvalid && insn_port_arready
    };
    wire [PORTS-1:0] ends = {
        out_port_bvalid && out_port_bready,
        acc_port_rvalid && acc_port_rready && acc_port_rlast,
        uop_port_rvalid && uop_port_rready && uop_port_rlast,
        wgt_port_rvalid && wgt_port_rready && wgt_port_rlast,
        inp_port_rvalid && inp_port_rready && inp_port_rlast,
        insn_port_rvalid && insn_port_rready && insn_port_rlast
    };
    wire [PORTS-1:0] asks = {
        out_port_awvalid,
        acc_port_arvalid,
        uop_port_arvalid,
        wgt_port_arvalid,
        inp_port_arvalid,
        insn_port_arvalid
    };
    wire [PORTS-1:0] open;

    genvar port;
    generate
        for (port = 0; port < PORTS; port = port + 1) begin : outstanding
            vta_control_outstanding count (
                .aclk(aclk),
                .clear(clear_taps),
                .begins(begins[port]),
                .ends(ends[port]),
                .open(open[port])
            );
        end
    endgenerate

    // A token that is asked for and not there; one that does not fit.
    wire wait_g2l = g2l_pop_tready && !g2l_pop_tvalid;
    wire wait_l2g = l2g_pop_tready && !l2g_pop_tvalid;
    wire wait_s2g = s2g_pop_tready && !s2g_pop_tvalid;
    wire wait_g2s = g2s_pop_tready && !g2s_pop_tvalid;
    wire push_l2g = l2g_push_tvalid && !l2g_push_tready;
    wire push_g2l = g2l_push_tvalid && !g2l_push_tready;
    wire push_g2s = g2s_push_tvalid && !g2s_push_tready;
    wire push_s2g = s2g_push_tvalid && !s2g_push_tready;

    wire load_works, load_starved, compute_works, compute_starved, store_works, store_starved;

    vta_control_module load (
        .aclk(aclk),
        .clear(clear_taps),
        .queue_tvalid(load_queue_pop_tvalid),
        .queue_tready(load_queue_pop_tready),
        .stalled(wait_g2l || push_l2g),
        .starved(load_starved),
        .works(load_works)
    );
    vta_control_module compute (
        .aclk(aclk),
        .clear(clear_taps),
        .queue_tvalid(compute_queue_pop_tvalid),
        .queue_tready(compute_queue_pop_tready),
        .stalled(wait_l2g || wait_s2g || push_g2l || push_g2s),
        .starved(compute_starved),
        .works(compute_works)
    );
    vta_control_module store (
        .aclk(aclk),
        .clear(clear_taps),
        .queue_tvalid(store_queue_pop_tvalid),
        .queue_tready(store_queue_pop_tready),
        .stalled(wait_g2s || push_s2g),
        .starved(store_starved),
        .works(store_works)
    );

    reg [31:0] events;
    always @* begin
        events = 32'b0;
        events[COUNT_FETCH_BUSY] = insn_port_rvalid && insn_port_rready;
        events[COUNT_FETCH_STARVED] = open[HOLD_INSN_PORT_BIT] && !insn_port_rvalid;
        events[COUNT_FETCH_PUSH_LOAD] = load_queue_push_tvalid && !load_queue_push_tready;
        events[COUNT_FETCH_PUSH_COMPUTE] = compute_queue_push_tvalid && !compute_queue_push_tready;
        events[COUNT_FETCH_PUSH_STORE] = store_queue_push_tvalid && !store_queue_push_tready;
        events[COUNT_LOAD_BUSY] = load_works;
        events[COUNT_LOAD_STARVED] = load_starved;
        events[COUNT_LOAD_WAIT_G2L] = wait_g2l;
        events[COUNT_LOAD_PUSH_L2G] = push_l2g;
        events[COUNT_COMPUTE_BUSY] = compute_works;
        events[COUNT_COMPUTE_STARVED] = compute_starved;
        events[COUNT_COMPUTE_WAIT_L2G] = wait_l2g;
        events[COUNT_COMPUTE_WAIT_S2G] = wait_s2g;
        events[COUNT_COMPUTE_PUSH_G2L] = push_g2l;
        events[COUNT_COMPUTE_PUSH_G2S] = push_g2s;
        events[COUNT_STORE_BUSY] = store_works;
        events[COUNT_STORE_STARVED] = store_starved;
        events[COUNT_STORE_WAIT_G2S] = wait_g2s;
        events[COUNT_STORE_PUSH_S2G] = push_s2g;
    end

    reg [31:0] hold;
    always @* begin
        hold = 32'b0;
        hold[PORTS-1:0] = open | asks;
        hold[HOLD_LOAD_BIT] = load_works;
        hold[HOLD_COMPUTE_BIT] = compute_works;
        hold[HOLD_STORE_BIT] = store_works;
    end

    // ---- soft reset, registers -----------------------------------------------------------

    wire reset_pending;
    vta_control_reset sequencer (
        .aclk(aclk),
        .aresetn(aresetn),
        .request(write_enable && write_address == AT_RESET && write_data[RESET_REQUEST_BIT]
                 && write_mask[RESET_REQUEST_BIT]),
        .force_now(write_enable && write_address == AT_RESET && write_data[RESET_FORCE_BIT]
                   && write_mask[RESET_FORCE_BIT]),
        .quiet(hold == 32'b0),
        .pending(reset_pending),
        .active(soft_reset),
        .fifo_resetn(fifo_resetn),
        .module_resetn(module_resetn)
    );

    wire [31:0] faults = {
        4'b0, store_fault & {ERROR_BITS{store_fault_ap_vld}},
        4'b0, compute_fault & {ERROR_BITS{compute_fault_ap_vld}},
        4'b0, load_fault & {ERROR_BITS{load_fault_ap_vld}},
        4'b0, fetch_fault & {ERROR_BITS{fetch_fault_ap_vld}}
    };

    vta_control_regs #(
        .FINGERPRINT_HI(FINGERPRINT_HI),
        .FINGERPRINT_LO(FINGERPRINT_LO),
        .CAPABILITIES(CAPABILITIES),
        .SOURCE(SOURCE)
    ) registers (
        .aclk(aclk),
        .aresetn(aresetn),
        .soft_reset(soft_reset),
        .reset_pending(reset_pending),
        .hold(hold),
        .launch(insn_port_arvalid),
        .finished(finished_ap_vld),
        .faults(faults),
        .events(events),
        .write_enable(write_enable),
        .write_address(write_address),
        .write_data(write_data),
        .write_mask(write_mask),
        .read_address(read_address),
        .read_data(read_data),
        .irq(irq)
    );

endmodule

`default_nettype wire
