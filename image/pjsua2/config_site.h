/* The compile-time limits and choices of Steadyline's pjproject.
 *
 * Every line states why it differs from the default. Most of what is switched
 * off here is code that would parse packets which this gateway never needs.
 */

/* A misuse is an error code and a log line, never an abort of running calls:
 * NDEBUG (set by the build) gives PJ_DEBUG 0; PJ_ASSERT_RETURN still returns. */
#define PJ_DEBUG                            0

/* Both address families: an uplink may be IPv6 only. */
#define PJ_HAS_IPV6                         1

/* 128 calls need 256 media sockets; a burst of INVITEs needs more for a while. */
#define PJ_IOQUEUE_MAX_HANDLES              2048

/* Two legs a call for 50 calls and then some; a phone with its own account each. */
#define PJSUA_MAX_CALLS                     128
#define PJSUA_MAX_ACC                       64
#define PJSUA_MAX_CONF_PORTS                512
#define PJSUA_MAX_PLAYERS                   128
#define PJSUA_MAX_RECORDERS                 128
/* Presence is not used, but the array cannot be empty. */
#define PJSUA_MAX_BUDDIES                   2
#define PJSUA_HAS_DLG_EVENT_PKG             0

/* Audio, and what a far end may offer beside it (video, text, image); more
 * m-lines than this are an attack on our sockets, not a call. */
#define PJMEDIA_MAX_SDP_MEDIA               4

/* The calls process chooses the transport and with it the uplink. A long
 * INVITE must not slip away over TCP by another route. */
#define PJSIP_DONT_SWITCH_TO_TCP            1

/* Audio goes where the signalled SDP says and nowhere else. The default sends
 * it to whoever sends us RTP first while the far end is silent. A provider's
 * SDP is truthful (it has no NAT in front of its media), and RTP that comes
 * from another port of its own is still accepted: only our sending is pinned. */
#define PJMEDIA_TRANSPORT_SWITCH_REMOTE_ADDR 0

/* Each call asks for "the" address of the host, for IPv6 even if it is bound to
 * IPv4, and by default that looks the host's own name up in DNS: 5 s of silence
 * for the whole process when the uplink of the resolver is dead. Interfaces and
 * routes answer the same question at once. */
#define PJ_GETHOSTIP_DISABLE_LOCAL_RESOLUTION 1

/* A codec is locked by re-INVITE: gwAbandonInvite can end one, but no UPDATE. */
#define PJSUA_LOCK_CODEC_DONT_USE_UPDATE    1

/* Only Speex's echo canceller is wanted; configure drops both or none. */
#define PJMEDIA_HAS_SPEEX_CODEC             0

/* Names are resolved by the process that knows the uplinks; pjsip sees addresses. */
#define PJSIP_HAS_RESOLVER                  0

/* SRTP keys come by SDES over TLS, as trunks do it. */
#define PJMEDIA_SRTP_HAS_SDES               1
#define PJMEDIA_SRTP_HAS_DTLS               0

/* A call's tone plan and caller ID want 8 kHz unless the owner says otherwise. */
#define PJSUA_DEFAULT_CLOCK_RATE            8000

/* Sound devices beside the null clock take these and nothing else. The defaults add 140 ms to what a phone hears:
 * the buffer is always full. Three frames of 10 ms hold (two, if frames are of 20 ms, which is the least). What is
 * captured is read as it comes, so its buffer costs no time. The drift buffers between the clocks keep their size,
 * which would shrink with the latency. */
#define PJMEDIA_SND_DEFAULT_REC_LATENCY     100
#define PJMEDIA_SND_DEFAULT_PLAY_LATENCY    30
#define PJMEDIA_SOUND_BUFFER_COUNT          8
