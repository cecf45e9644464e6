/* What pjsua2 lacks for moving a running call to another uplink.
 *
 * Compiled into the binding, so that these are functions of the module pjsua2.
 * Each may be called from any thread that is registered with pjlib; each takes
 * the locks that pjsua's own functions take. None throws.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef STEADYLINE_GATEWAY_SHIM_HPP
#define STEADYLINE_GATEWAY_SHIM_HPP

#include <string>

#include <pjsua-lib/pjsua.h>
#include <pjsua-lib/pjsua_internal.h>

namespace pj {

/* Not for SWIG: the call and its locked dialog, or false. */
#ifndef SWIG
inline bool gwLock(const char *caller, int callId, pjsua_call **call, pjsip_dialog **dialog)
{
    if (callId < 0 || callId >= (int)pjsua_var.ua_cfg.max_calls || pjsua_var.endpt == NULL)
        return false;
    return acquire_call(caller, callId, call, dialog) == PJ_SUCCESS;
}

inline std::string gwText(const pj_str_t &text)
{
    return std::string(text.ptr, text.slen);
}

inline std::string gwAddress(const pjsip_host_port &name)
{
    const std::string host = gwText(name.host);
    const bool ipv6 = host.find(':') != std::string::npos;
    return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(name.port);
}
#endif

/* Frees a confirmed call from an INVITE transaction that is stuck on a dead
 * path, so that a re-INVITE can be sent at once instead of after 32 s.
 *
 * Call it after Account.modify has named the new transport, and send the new
 * re-INVITE right after it. Three cases:
 *
 * - Our own re-INVITE has no final answer. Its transaction ends here with 503,
 *   which RFC 3261 14.1 treats as "the session goes on unchanged": the offer is
 *   withdrawn, provisional media are dropped, a hold that was under way counts
 *   as refused. The far end may have answered 200 into the dead path and would
 *   end the call 64*T1 later for want of an ACK (RFC 3261 13.3.1.4); so an ACK
 *   of that CSeq goes out by the new transport. One that had not answered yet
 *   ignores it.
 * - The far end's re-INVITE was answered 200 and its ACK is missing. That
 *   transaction ends here too; the session stays as answered.
 * - Nothing is pending.
 *
 * Returns 1 if a transaction was ended, 0 if none was pending, -1 if the call
 * is unknown, not confirmed, or in an exchange that cannot be ended from here
 * (an UPDATE with an offer, a re-INVITE of the far end that has no answer yet):
 * replace the call or dial again.
 */
inline int gwAbandonInvite(int callId)
{
    pjsua_call *call;
    pjsip_dialog *dialog;
    if (!gwLock("gwAbandonInvite()", callId, &call, &dialog))
        return -1;

    int result = -1;
    pjsip_inv_session *session = call->inv;
    if (session == NULL || session->state != PJSIP_INV_STATE_CONFIRMED || session->neg == NULL) {
        result = -1;
    } else if (session->invite_tsx == NULL) {
        const bool offered = pjmedia_sdp_neg_get_state(session->neg) != PJMEDIA_SDP_NEG_STATE_DONE;
        result = offered ? -1 : 0;
    } else {
        pjsip_transaction *transaction = session->invite_tsx;
        const bool ours = transaction->role == PJSIP_ROLE_UAC;
        const bool unanswered = transaction->state < PJSIP_TSX_STATE_COMPLETED;
        const int cseq = transaction->cseq;

        if (ours ? unanswered : transaction->status_code / 100 == 2) {
            pjsip_tsx_terminate(transaction, ours ? PJSIP_SC_SERVICE_UNAVAILABLE : transaction->status_code);
            /* The state handlers have done these for our own re-INVITE; a 200
             * that carried our offer leaves them open. */
            if (session->invite_tsx == transaction)
                session->invite_tsx = NULL;
            const pjmedia_sdp_neg_state left = pjmedia_sdp_neg_get_state(session->neg);
            if (left == PJMEDIA_SDP_NEG_STATE_LOCAL_OFFER || left == PJMEDIA_SDP_NEG_STATE_REMOTE_OFFER) {
                pjmedia_sdp_neg_cancel_offer(session->neg);
                pjsua_media_prov_revert(call->index);
            }
            result = pjmedia_sdp_neg_get_state(session->neg) == PJMEDIA_SDP_NEG_STATE_DONE ? 1 : -1;

            if (ours && result == 1) {
                pjsip_tpselector selector;
                pjsip_tx_data *ack = NULL;
                pjsua_init_tpselector(call->acc_id, &selector);
                pjsip_dlg_set_transport(dialog, &selector);
                if (pjsip_inv_create_ack(session, cseq, &ack) == PJ_SUCCESS)
                    pjsip_dlg_send_request(dialog, ack, -1, NULL);
            }
        }
    }
    pjsip_dlg_dec_lock(dialog);
    return result;
}

/* Whether a request that times out leaves its call alive. On a dead path every
 * in-dialog request times out after 32 s; with true, our own table decides what
 * becomes of the call, with false (pjsip's default) pjsip sends BYE. */
inline void gwKeepCallsAfterTimeout(bool on)
{
    pjsip_cfg()->endpt.keep_inv_after_tsx_timeout = on ? PJ_TRUE : PJ_FALSE;
}

/* "call-id\nlocal-tag\nremote-tag" of a call's dialog, for a Replaces header
 * (RFC 3891: to-tag is the receiver's, so our remote tag). Empty if unknown. */
inline std::string gwDialogIds(int callId)
{
    pjsua_call *call;
    pjsip_dialog *dialog;
    if (!gwLock("gwDialogIds()", callId, &call, &dialog))
        return std::string();
    const std::string ids = gwText(dialog->call_id->id) + "\n" + gwText(dialog->local.info->tag) + "\n" +
                            gwText(dialog->remote.info->tag);
    pjsip_dlg_dec_lock(dialog);
    return ids;
}

/* The local address ("192.0.2.1:5060", "[2001:db8::1]:5060") of the transport or
 * listener that the call's dialog is bound to. Empty if unknown or unbound. */
inline std::string gwCallTransport(int callId)
{
    pjsua_call *call;
    pjsip_dialog *dialog;
    if (!gwLock("gwCallTransport()", callId, &call, &dialog))
        return std::string();
    std::string address;
    const pjsip_tpselector &selector = dialog->tp_sel;
    if (selector.type == PJSIP_TPSELECTOR_TRANSPORT && selector.u.transport)
        address = gwAddress(selector.u.transport->local_name);
    else if (selector.type == PJSIP_TPSELECTOR_LISTENER && selector.u.listener)
        address = gwAddress(selector.u.listener->addr_name);
    pjsip_dlg_dec_lock(dialog);
    return address;
}

/* Transaction timers of RFC 3261 17 for transactions that start from now on:
 * T1 (first retransmission, 500), T2 (longest interval, 4000), T4 (5000) and TD
 * (the timeout, 32000). 0 leaves a value as it is. */
inline void gwSetTimers(unsigned t1Ms, unsigned t2Ms, unsigned t4Ms, unsigned tdMs)
{
    pjsip_tsx_set_timers(t1Ms, t2Ms, t4Ms, tdMs);
}

/* The local address ("192.0.2.1:5060") of the socket that a received message came
 * in by; the bound one, not the one published in Contact. `rxData`: pjRxData of a
 * SipRxData, inside its callback only. Empty if unknown. */
inline std::string gwArrivedAt(unsigned long long rxData)
{
    const pjsip_rx_data *message = reinterpret_cast<const pjsip_rx_data *>(rxData);
    if (message == NULL || message->tp_info.transport == NULL)
        return std::string();
    char address[PJ_INET6_ADDRSTRLEN + 10];
    return pj_sockaddr_print(&message->tp_info.transport->local_addr, address, sizeof(address), 3);
}

/* Turns a call's dialog to its account's present transport, so that requests which
 * pjsua gives no path of their own (BYE above all) leave by it. 0, or -1 if unknown. */
inline int gwTurn(int callId)
{
    pjsua_call *call;
    pjsip_dialog *dialog;
    if (!gwLock("gwTurn()", callId, &call, &dialog))
        return -1;
    pjsip_tpselector selector;
    pjsua_init_tpselector(call->acc_id, &selector);
    const pj_status_t status = pjsip_dlg_set_transport(dialog, &selector);
    pjsip_dlg_dec_lock(dialog);
    return status == PJ_SUCCESS ? 0 : -1;
}

#ifndef SWIG
/* Where names lead; set and read on pjsua's own thread. */
inline std::string &gwNamedServer()
{
    static std::string address;
    return address;
}

/* An address from its notation, without asking anybody; false for a name. */
inline bool gwLiteral(const std::string &host, pj_sockaddr *address)
{
    pj_str_t text = pj_str(const_cast<char *>(host.c_str()));
    if (pj_sockaddr_in_init(&address->ipv4, NULL, 0) == PJ_SUCCESS &&
        pj_inet_pton(pj_AF_INET(), &text, &address->ipv4.sin_addr) == PJ_SUCCESS)
        return true;
    pj_sockaddr_init(pj_AF_INET6(), address, NULL, 0);
    return pj_inet_pton(pj_AF_INET6(), &text, &address->ipv6.sin6_addr) == PJ_SUCCESS;
}

/* pjsip's resolver, replaced: literals are taken as they are, every name leads to
 * the server that was given last, and nothing asks DNS (which may hang for seconds
 * on the uplink that has just died). RFC 3263 4.1 for the transport's choice. */
inline void gwResolve(pjsip_resolver_t *, pj_pool_t *, const pjsip_host_info *target, void *token,
                      pjsip_resolver_callback *callback)
{
    pjsip_server_addresses servers;
    pj_bzero(&servers, sizeof(servers));
    pj_sockaddr *address = &servers.entry[0].addr;
    if (!gwLiteral(gwText(target->addr.host), address) && !gwLiteral(gwNamedServer(), address)) {
        callback(PJ_ERESOLVE, token, NULL);
        return;
    }
    int type = target->type & ~PJSIP_TRANSPORT_IPV6;
    if (type == PJSIP_TRANSPORT_UNSPECIFIED)
        type = (target->flag & PJSIP_TRANSPORT_SECURE)     ? PJSIP_TRANSPORT_TLS
               : (target->flag & PJSIP_TRANSPORT_RELIABLE) ? PJSIP_TRANSPORT_TCP
                                                           : PJSIP_TRANSPORT_UDP;
    const int port = target->addr.port ? target->addr.port : type == PJSIP_TRANSPORT_TLS ? 5061 : 5060;
    if (address->addr.sa_family == pj_AF_INET6())
        type |= PJSIP_TRANSPORT_IPV6;
    pj_sockaddr_set_port(address, static_cast<pj_uint16_t>(port));
    servers.count = 1;
    servers.entry[0].type = static_cast<pjsip_transport_type_e>(type);
    servers.entry[0].addr_len = pj_sockaddr_get_len(address);
    callback(PJ_SUCCESS, token, &servers);
}
#endif

/* From now on names in requests lead to `address`; a TLS certificate is still held
 * against the name. Call it first after libCreate, on the thread that runs pjsua. */
inline int gwNamesMean(const std::string &address)
{
    static pjsip_ext_resolver resolver = {&gwResolve};
    gwNamedServer() = address;
    pjsip_endpoint *endpoint = pjsua_get_pjsip_endpt();
    return endpoint ? pjsip_endpt_set_ext_resolver(endpoint, &resolver) : -1;
}

} // namespace pj

#endif
