// AXI4-Lite slave: one write and one read at a time, as accesses to registers.
//
// Address and data of a write may come in any order. A register sees `write_enable` for one cycle;
// `read_data` must answer `read_address` in the same cycle. All responses are OKAY.
`default_nettype none

module vta_control_axil (
    input wire aclk,
    input wire aresetn,

    input  wire [11:0] awaddr,
    input  wire        awvalid,
    output wire        awready,
    input  wire [31:0] wdata,
    input  wire [ 3:0] wstrb,
    input  wire        wvalid,
    output wire        wready,
    output wire [ 1:0] bresp,
    output reg         bvalid,
    input  wire        bready,
    input  wire [11:0] araddr,
    input  wire        arvalid,
    output wire        arready,
    output reg  [31:0] rdata,
    output wire [ 1:0] rresp,
    output reg         rvalid,
    input  wire        rready,

    output wire        write_enable,
    output reg  [11:0] write_address,
    output reg  [31:0] write_data,
    output reg  [31:0] write_mask,
    output wire [11:0] read_address,
    input  wire [31:0] read_data
);

    localparam [1:0] OKAY = 2'b00;

    reg have_address;
    reg have_data;
    reg out_of_reset;  // ready only from the first cycle after reset on, as the standard wants

    assign bresp = OKAY;
    assign rresp = OKAY;
    assign awready = out_of_reset && !have_address;
    assign wready = out_of_reset && !have_data;
    assign arready = out_of_reset && !rvalid;
    assign write_enable = have_address && have_data && !bvalid;
    assign read_address = {araddr[11:2], 2'b00};

    always @(posedge aclk) begin
        if (!aresetn) out_of_reset <= 1'b0;
        else out_of_reset <= 1'b1;
    end

    always @(posedge aclk) begin
        if (!aresetn) have_address <= 1'b0;
        else if (awvalid && awready) have_address <= 1'b1;
        else if (write_enable) have_address <= 1'b0;
    end

    always @(posedge aclk) begin
        if (!aresetn) have_data <= 1'b0;
        else if (wvalid && wready) have_data <= 1'b1;
        else if (write_enable) have_data <= 1'b0;
    end

    always @(posedge aclk) begin
        if (awvalid && awready) write_address <= {awaddr[11:2], 2'b00};
    end

    always @(posedge aclk) begin
        if (wvalid && wready) begin
            write_data <= wdata;
            write_mask <= {{8{wstrb[3]}}, {8{wstrb[2]}}, {8{wstrb[1]}}, {8{wstrb[0]}}};
        end
    end

    always @(posedge aclk) begin
        if (!aresetn) bvalid <= 1'b0;
        else if (write_enable) bvalid <= 1'b1;
        else if (bready) bvalid <= 1'b0;
    end

    always @(posedge aclk) begin
        if (!aresetn) rvalid <= 1'b0;
        else if (arvalid && arready) rvalid <= 1'b1;
        else if (rready) rvalid <= 1'b0;
    end

    always @(posedge aclk) begin
        if (arvalid && arready) rdata <= read_data;
    end

endmodule

`default_nettype wire
