"""Changes to pjproject's source that the build makes: limits in arrays, and guards at what a peer can send.

Each names the text that it expects and how often; the build stops when the
source has moved on, so that no guard is lost silently. The faults are known
ones of 2.17, mended upstream later; a guard goes when Debian's source has it.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Edit:
    """`old` stands `count` times in `file` and becomes `new`."""

    file: str
    old: str
    new: str
    count: int = 1


TRANSPORTS = 32

ALSA = "pjmedia/src/pjmedia-audiodev/alsa_dev.c"
NEGOTIATOR = "pjmedia/src/pjmedia/sdp_neg.c"
TOO_MANY_MEDIA = (
    "if (new_offer->media_count >= PJMEDIA_MAX_SDP_MEDIA) {"
    " neg->state = PJMEDIA_SDP_NEG_STATE_DONE; return PJ_ETOOMANY; }\n"
)

EDITS = (
    # pjsua's own limit of 8 transports is the length of this array.
    Edit("pjsip/include/pjsua-lib/pjsua_internal.h", "tpdata[8];", f"tpdata[{TRANSPORTS}];"),
    # $(@D) is empty where a prerequisite is read: with several jobs, a compiler can come before its folder.
    Edit("build/rules.mak", "| $(@D)", "| $(OBJDIRS)", count=6),
    # Debian's tarball leaves this device's source out, but not its object.
    Edit("pjmedia/build/Makefile", " bdimad_dev.o", ""),
    # Payload numbers of a remote SDP index a table of 32: 128 and more write behind it.
    Edit(NEGOTIATOR, "if (pt < START_DYNAMIC_PT)", "if (pt < START_DYNAMIC_PT || pt > 127)", count=3),
    # A format without its rtpmap: the assertion is gone in a release build, the NULL is not.
    Edit(
        NEGOTIATOR,
        "&preanswer->desc.fmt[i]);\n            pj_assert(a);",
        "&preanswer->desc.fmt[i]);\n            if (!a) continue;",
    ),
    Edit(
        NEGOTIATOR,
        "&pt_answer[i]);\n            pj_assert(a);",
        "&pt_answer[i]);\n            if (!a) { ++i; continue; }",
    ),
    # A re-offer is filled up with the media lines that it lacks, past the end of the array.
    Edit(
        NEGOTIATOR,
        "m = sdp_media_clone_deactivate(pool, om, om, local);",
        TOO_MANY_MEDIA + "m = sdp_media_clone_deactivate(pool, om, om, local);",
    ),
    Edit(
        NEGOTIATOR,
        "m = sdp_media_clone_deactivate(pool, old_offer->media[oi],",
        TOO_MANY_MEDIA + "m = sdp_media_clone_deactivate(pool, old_offer->media[oi],",
    ),
    # So does the list of a call's media: full of the peer's lines, it still took our own in.
    *(
        Edit(
            "pjsip/src/pjsua-lib/pjsua_media.c",
            f"mi < call->opt.{kind}_cnt - mtot{kind}cnt; ++mi)",
            f"mi < call->opt.{kind}_cnt - mtot{kind}cnt && call->med_prov_cnt < PJSUA_MAX_CALL_MEDIA; ++mi)",
        )
        for kind in ("aud", "vid", "txt")
    ),
    # 64 places on the stack for the tags of a=crypto lines, and nobody counts them.
    Edit(
        "pjmedia/src/pjmedia/transport_srtp_sdes.c",
        "                status = parse_attr_crypto(srtp->pool, m_rem->attr[i],\n"
        "                                           &tmp_rx_crypto,\n"
        "                                           &tags[cr_attr_count]);",
        "                if (cr_attr_count >= PJ_ARRAY_SIZE(tags))\n"
        "                    return PJMEDIA_SRTP_ESDPINCRYPTO;\n"
        "                status = parse_attr_crypto(srtp->pool, m_rem->attr[i],\n"
        "                                           &tmp_rx_crypto,\n"
        "                                           &tags[cr_attr_count]);",
    ),
    # Printing a header list (Allow, Supported) into a full buffer wrote two bytes past it.
    Edit(
        "pjsip/src/pjsip/sip_msg.c",
        "    copy_advance(p, (*hname));\n    *p++ = ':';\n    *p++ = ' ';\n\n    if (hdr->count > 0) {",
        "    copy_advance(p, (*hname));\n    if (endbuf - p < 2) return -1;\n"
        "    *p++ = ':';\n    *p++ = ' ';\n\n    if (hdr->count > 0) {",
    ),
    # A multipart body without parts "printed" an error code's worth of bytes.
    Edit(
        "pjsip/src/pjsip/sip_multipart.c",
        "PJ_ASSERT_RETURN(m_data && !pj_list_empty(&m_data->part_head), PJ_EINVAL);",
        "if (!m_data || pj_list_empty(&m_data->part_head)) return -1;",
    ),
    Edit(
        "pjsip/src/pjsip/sip_msg.c",
        "len = (*msg->body->print_body)(msg->body, p, end-p);\n        if (len < 0) {",
        "len = (*msg->body->print_body)(msg->body, p, end-p);\n        if (len < 0 || len > end-p) {",
    ),
    # A request that fails while it is being sent (no route: our daily bread) frees its
    # transaction, which is then terminated once more.
    Edit(
        "pjsip/src/pjsip/sip_util_statefull.c",
        "    status = pjsip_tsx_send_msg(tsx, NULL);\n"
        "    if (status != PJ_SUCCESS) {\n"
        "        pjsip_tx_data_dec_ref(tdata);\n"
        "        pjsip_tsx_terminate(tsx, tsx->status_code? tsx->status_code:\n"
        "                            PJSIP_SC_SERVICE_UNAVAILABLE);\n"
        "    }\n",
        "    pj_grp_lock_add_ref(tsx->grp_lock);\n"
        "    status = pjsip_tsx_send_msg(tsx, NULL);\n"
        "    if (status != PJ_SUCCESS) {\n"
        "        pjsip_tx_data_dec_ref(tdata);\n"
        "        pjsip_tsx_terminate(tsx, tsx->status_code? tsx->status_code:\n"
        "                            PJSIP_SC_SERVICE_UNAVAILABLE);\n"
        "    }\n"
        "    pj_grp_lock_dec_ref(tsx->grp_lock);\n",
    ),
    Edit(
        "pjsip/src/pjsip/sip_util_statefull.c",
        "#include <pj/log.h>\n",
        "#include <pj/lock.h>\n#include <pj/log.h>\n",
    ),
    # A USB device that stumbles for a tenth of a second (EIO) or was asleep (ESTRPIPE) ended its thread for
    # good: only one that is gone may do that.
    Edit(
        ALSA,
        "if (result == -EPIPE) {",
        "if (result == -EPIPE || result == -EIO || result == -ESTRPIPE) {",
        count=2,
    ),
    # The highest priority of all is refused to a unit with LimitRTPRIO; this one is granted.
    Edit(ALSA, "sched_get_priority_max (SCHED_RR)", "20", count=2),
    # To list the devices each was opened under all its names, which stops the engine for a second a card, and
    # one that is in use was then held to be useless. Phones have the one name that they are opened by.
    Edit(ALSA, 'if (0 != strcmp("null", name))', 'if (0 == strncmp("plughw:", name, 7))'),
    *(
        Edit(
            ALSA,
            f"{kind}_result = snd_pcm_open (&pcm, dev_name, SND_PCM_STREAM_{direction}, 0);\n"
            f"    if ({kind}_result >= 0) {{",
            f"{kind}_result = 0; pcm = NULL;\n    if (pcm) {{",
        )
        for kind, direction in (("pb", "PLAYBACK"), ("ca", "CAPTURE"))
    ),
    # Our own functions join the binding.
    Edit(
        "pjsip-apps/src/swig/pjsua2.i",
        '#include "pjsua2.hpp"\n',
        '#include "pjsua2.hpp"\n#include "pjsua2/gateway_shim.hpp"\n',
    ),
    Edit(
        "pjsip-apps/src/swig/pjsua2.i",
        '%include "pjsua2/endpoint.hpp"\n',
        '%include "pjsua2/endpoint.hpp"\n%include "pjsua2/gateway_shim.hpp"\n',
    ),
)


def apply(source: Path) -> None:
    """Makes every edit below `source`; raises ValueError that names the one that does not fit."""
    for edit in EDITS:
        path = source / edit.file
        text = path.read_text()
        found = text.count(edit.old)
        if found != edit.count:
            raise ValueError(f"{edit.file}: expected {edit.count} times, found {found} times: {edit.old!r}")
        path.write_text(text.replace(edit.old, edit.new))
