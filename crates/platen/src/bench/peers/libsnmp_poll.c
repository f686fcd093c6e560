/* An asynchronous poller on libsnmp: one socket, many requests on the way, GETs of given objects from successive
   addresses. Prints {"done":N,"failed":N}. Usage: libsnmp_poll BASE COUNT PORT ROUNDS WINDOW OID... */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 32
static oid names[MOST][MAX_OID_LEN];
static size_t lengths[MOST];
static int objects;
static uint32_t base;
static unsigned long count, rounds, next_poll, done, failed, open_polls;
static unsigned port;
static void *session;

static int answered(int operation, netsnmp_session *s, int id, netsnmp_pdu *pdu, void *magic);

/* Sends the next poll. The destination goes with the PDU, so that one session serves all devices. */
static int submit(void) {
    if (next_poll >= count * rounds) return 0;
    netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET);
    for (int i = 0; i < objects; i++) snmp_add_null_var(pdu, names[i], lengths[i]);
    netsnmp_indexed_addr_pair *to = calloc(1, sizeof *to);
    to->remote_addr.sin.sin_family = AF_INET;
    to->remote_addr.sin.sin_addr.s_addr = htonl(base + (uint32_t)(next_poll % count));
    to->remote_addr.sin.sin_port = htons((uint16_t)port);
    pdu->transport_data = to;
    pdu->transport_data_length = sizeof *to;
    next_poll++;
    if (!snmp_sess_async_send(session, pdu, answered, NULL)) {
        snmp_free_pdu(pdu);
        failed++;
        return 1;
    }
    open_polls++;
    return 1;
}

static int answered(int operation, netsnmp_session *s, int id, netsnmp_pdu *pdu, void *magic) {
    (void)s; (void)id; (void)magic;
    int values = 0;
    if (operation == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE && pdu && pdu->errstat == SNMP_ERR_NOERROR)
        for (netsnmp_variable_list *v = pdu->variables; v; v = v->next_variable)
            if (v->type != SNMP_NOSUCHOBJECT && v->type != SNMP_NOSUCHINSTANCE) values++;
    if (values == objects) done++; else failed++;
    open_polls--;
    submit();
    return 1;
}

int main(int argc, char **argv) {
    if (argc < 7 || argc - 6 > MOST) return 2;
    base = ntohl(inet_addr(argv[1]));
    count = strtoul(argv[2], NULL, 10);
    port = (unsigned)strtoul(argv[3], NULL, 10);
    rounds = strtoul(argv[4], NULL, 10);
    unsigned long window = strtoul(argv[5], NULL, 10);
    setenv("SNMPCONFPATH", "/nonexistent", 1);
    setenv("MIBS", "", 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
    netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
    netsnmp_ds_set_int(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_CLIENTRECVBUF, 4 << 20);
    init_snmp("peer");
    for (objects = 0; objects < argc - 6; objects++) {
        lengths[objects] = MAX_OID_LEN;
        if (!read_objid(argv[objects + 6], names[objects], &lengths[objects])) return 2;
    }
    netsnmp_session settings;
    char first[64];
    snprintf(first, sizeof first, "udp:127.0.0.1:%u", port);
    snmp_sess_init(&settings);
    settings.version = SNMP_VERSION_2c;
    settings.community = (u_char *)"public";
    settings.community_len = 6;
    settings.peername = first;
    settings.retries = 3;
    settings.timeout = 1000000;
    session = snmp_sess_open(&settings);
    if (!session) return 1;
    netsnmp_transport *transport = snmp_sess_transport(session);
    while (open_polls < window && submit()) {}
    while (open_polls) {
        struct pollfd ready = {.fd = transport->sock, .events = POLLIN};
        if (poll(&ready, 1, 100) > 0) {
            fd_set set;
            FD_ZERO(&set);
            FD_SET(transport->sock, &set);
            snmp_sess_read(session, &set);
        } else {
            snmp_sess_timeout(session);
        }
    }
    printf("{\"done\":%lu,\"failed\":%lu}\n", done, failed);
    snmp_sess_close(session);
    return 0;
}
