#include "core/io/local.h"

#include <criterion/criterion.h>

static struct endpoint endpoint(const char *text) {
    struct endpoint e;
    cr_assert_eq(endpoint_parse(text, &e), 0, "%s", text);
    return e;
}

static struct local_address address(const char *interface, const char *text) {
    return (struct local_address){.interface = interface, .endpoint = endpoint(text), .up = true};
}

static void assert_endpoint(const struct endpoint *e, const char *text) {
    char found[ENDPOINT_TEXT_MAX];
    cr_assert_str_eq(endpoint_format(e, found), text);
}

static const struct endpoint everywhere = {.port = 7000};

Test(local, tells_lan_and_public_addresses_with_the_port_ipv4_first) {
    struct local_address list[] = {address("lo", "127.0.0.1:0"), address("eth0", "[2001:db8::7]:0"),
                                   address("eth0", "[fe80::1]:0"), address("eth0", "192.168.1.4:0"),
                                   address("eth0", "169.254.3.3:0")};
    struct endpoint ret[4];
    cr_assert_eq(local_select(list, ARRAY_LEN(list), &everywhere, ret, 4), 2);
    assert_endpoint(&ret[0], "192.168.1.4:7000");
    assert_endpoint(&ret[1], "[2001:db8::7]:7000");
}

Test(local, leaves_out_tunnels_bridges_and_interfaces_that_are_down) {
    struct local_address list[] = {address("tun0", "10.8.0.2:0"),
                                   address("docker0", "172.17.0.1:0"),
                                   address("eth1", "10.0.0.2:0"), address("eth0", "10.0.0.1:0")};
    list[0].point_to_point = true;
    list[2].up = false;
    struct endpoint ret[4];
    cr_assert_eq(local_select(list, ARRAY_LEN(list), &everywhere, ret, 4), 1);
    assert_endpoint(&ret[0], "10.0.0.1:7000");
}

Test(local, falls_back_to_loopback_where_there_is_nothing_else) {
    struct local_address list[] = {address("lo", "127.0.0.1:0")};
    struct endpoint ret[4];
    cr_assert_eq(local_select(list, 1, &everywhere, ret, 4), 1);
    assert_endpoint(&ret[0], "127.0.0.1:7000");
}

Test(local, tells_only_the_address_that_the_socket_is_bound_to) {
    struct local_address list[] = {address("eth0", "10.0.0.1:0")};
    struct endpoint bound = endpoint("127.0.0.1:7000"), ret[4];
    cr_assert_eq(local_select(list, 1, &bound, ret, 4), 1);
    assert_endpoint(&ret[0], "127.0.0.1:7000");
}

Test(local, tells_no_ipv6_where_the_socket_is_bound_to_all_of_ipv4) {
    struct local_address list[] = {address("eth0", "[2001:db8::7]:0"),
                                   address("eth0", "10.0.0.1:0")};
    struct endpoint bound = endpoint("0.0.0.0:7000"), ret[4];
    cr_assert_eq(local_select(list, 2, &bound, ret, 4), 1);
    assert_endpoint(&ret[0], "10.0.0.1:7000");
}

Test(local, tells_each_address_once_and_no_more_than_there_is_room_for) {
    struct local_address list[] = {address("a", "10.0.0.1:0"), address("b", "10.0.0.1:0"),
                                   address("c", "10.0.0.2:0"), address("d", "10.0.0.3:0")};
    struct endpoint ret[2];
    cr_assert_eq(local_select(list, 4, &everywhere, ret, 2), 2);
    assert_endpoint(&ret[1], "10.0.0.2:7000");
}

Test(local, always_finds_an_address_of_this_machine) {
    struct endpoint ret[4];
    size_t n = io_local_endpoints(&everywhere, ret, 4);
    cr_assert_geq(n, 1);
    for (size_t i = 0; i < n; i++) {
        cr_assert(endpoint_is_usable(&ret[i]));
        cr_assert_eq(ret[i].port, 7000);
    }
}
