/* A Modbus device of another make: Debian's libmodbus. Prints its port, serves one client at a time for ever; or with the path
   of a serial port, RTU on it.

   Values are laid out by hand from the description of the encodings, for libmodbus has its own idea of "abcd".
   Holding registers begin at 100; register 170 does not exist; see test_modbus_driver.py for what stands where. */

#include <arpa/inet.h>
#include <errno.h>
#include <modbus/modbus.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST 100
#define HOLE 170

static uint16_t *holding;

/* The low 16 * count bits of `bits` from register `at` on; `reversed` registers, `swapped` bytes. */
static int put(int at, uint64_t bits, int count, int reversed, int swapped)
{
    for (int n = 0; n < count; n++) {
        int place = reversed ? count - 1 - n : n;
        uint16_t word = (uint16_t)(bits >> (16 * (count - 1 - n)));
        holding[at - FIRST + place] = swapped ? (uint16_t)(word << 8 | word >> 8) : word;
    }
    return at + count;
}

static void fill(modbus_mapping_t *map)
{
    holding = map->tab_registers;
    put(100, (uint16_t)-12345, 1, 0, 0);
    put(101, 54321, 1, 0, 0);
    int at = 102;
    for (int order = 0; order < 4; order++) { /* ABCD, CDAB, BADC, DCBA */
        float single = 3.14159274f;
        double exact = -2.718281828459045;
        uint32_t single_bits;
        uint64_t exact_bits;
        memcpy(&single_bits, &single, 4);
        memcpy(&exact_bits, &exact, 8);
        at = put(at, (uint32_t)-123456789, 2, order & 1, order >> 1);
        at = put(at, single_bits, 2, order & 1, order >> 1);
        at = put(at, exact_bits, 4, order & 1, order >> 1);
        at = put(at, 9007199254740993ULL, 4, order & 1, order >> 1);
        at = put(at, 0x1234, 1, order & 1, order >> 1);
    }
    put(160, 0x1234, 1, 0, 0);
    put(161, 0x98765432, 2, 0, 0);
    put(163, 0x522D323031000000ULL, 4, 0, 0); /* "R-201" */
    put(167, 0x8001, 1, 0, 0);
    put(171, 7, 1, 0, 0);
    for (int n = 0; n < 20; n++) map->tab_bits[n] = n % 3 == 0;
    for (int n = 0; n < 12; n++) map->tab_input_bits[n] = n % 2;
    for (int n = 0; n < 125; n++) map->tab_input_registers[n] = (uint16_t)(1000 + n);
}

static int touches_hole(const uint8_t *request, int head)
{
    int first = request[head + 1] << 8 | request[head + 2], count = request[head + 3] << 8 | request[head + 4];
    return request[head] == MODBUS_FC_READ_HOLDING_REGISTERS && first <= HOLE && HOLE < first + count;
}

/* Answers until the line or the client is gone. */
static void answer(modbus_t *device, modbus_mapping_t *map)
{
    uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
    int length;
    while ((length = modbus_receive(device, request)) >= 0) {
        if (length > 0 && touches_hole(request, modbus_get_header_length(device)))
            modbus_reply_exception(device, request, MODBUS_EXCEPTION_ILLEGAL_DATA_ADDRESS);
        else if (length > 0)
            modbus_reply(device, request, length, map);
    }
}

/* On a serial port, as unit 3. */
static int serve_rtu(const char *port, modbus_mapping_t *map)
{
    modbus_t *device = modbus_new_rtu(port, 19200, 'N', 8, 1);
    if (!device || modbus_set_slave(device, 3) < 0 || modbus_connect(device) < 0) {
        fprintf(stderr, "cannot open %s: %s\n", port, modbus_strerror(errno));
        return 1;
    }
    printf("0\n");
    fflush(stdout);
    answer(device, map);
    return 0;
}

int main(int argc, char **argv)
{
    modbus_mapping_t *map = modbus_mapping_new_start_address(5, 20, 0, 12, FIRST, 80, 0, 125);
    if (map) fill(map);
    if (map && argc > 1) return serve_rtu(argv[1], map);
    modbus_t *device = modbus_new_tcp("127.0.0.1", 0);
    int listening = device && map ? modbus_tcp_listen(device, 1) : -1;
    struct sockaddr_in own;
    socklen_t size = sizeof own;
    if (listening < 0 || getsockname(listening, (struct sockaddr *)&own, &size) < 0) {
        fprintf(stderr, "cannot listen: %s\n", modbus_strerror(errno));
        return 1;
    }
    printf("%d\n", ntohs(own.sin_port));
    fflush(stdout);
    while (modbus_tcp_accept(device, &listening) >= 0) {
        answer(device, map);
        modbus_close(device);
    }
    return 0;
}
