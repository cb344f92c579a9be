package smpp

import (
	"errors"
	"fmt"

	"github.com/twinlatch/twinlatch"
)

// Values of command_status, §5.1.3, that we send or decide by.
const (
	statusOK           = 0x00
	statusMsgLength    = 0x01
	statusLength       = 0x02
	statusCommand      = 0x03
	statusBindState    = 0x04
	statusSource       = 0x0A
	statusDestination  = 0x0B
	statusBindFailed   = 0x0D
	statusPassword     = 0x0E
	statusSystemID     = 0x0F
	statusServiceType  = 0x15
	statusClass        = 0x43
	statusSourceTON    = 0x48
	statusSourceNPI    = 0x49
	statusTargetTON    = 0x50
	statusTargetNPI    = 0x51
	statusSystemType   = 0x53
	statusTemporary    = 0x64 // ESME_RX_T_APPN: we cannot take it now
	statusPermanent    = 0x65 // ESME_RX_P_APPN: nor later
	statusNotSupported = 0xC1 // ESME_ROPTPARNOTALLWD
)

// reasons are the names in the standard and what they mean, for the log.
var reasons = map[uint32]string{
	statusMsgLength:    "ESME_RINVMSGLEN, wrong length of the message",
	statusLength:       "ESME_RINVCMDLEN, wrong length of the PDU",
	statusCommand:      "ESME_RINVCMDID, unknown command",
	statusBindState:    "ESME_RINVBNDSTS, not bound for this",
	0x05:               "ESME_RALYBND, already bound",
	0x08:               "ESME_RSYSERR, system error",
	statusSource:       "ESME_RINVSRCADR, source address refused",
	statusDestination:  "ESME_RINVDSTADR, destination address refused",
	statusBindFailed:   "ESME_RBINDFAIL, bind failed",
	statusPassword:     "ESME_RINVPASWD, wrong password",
	statusSystemID:     "ESME_RINVSYSID, unknown system ID",
	0x14:               "ESME_RMSGQFUL, queue is full",
	statusServiceType:  "ESME_RINVSERTYP, service type refused",
	statusClass:        "ESME_RINVESMCLASS, message mode or type refused",
	0x45:               "ESME_RSUBMITFAIL, submit failed",
	statusSourceTON:    "ESME_RINVSRCTON, type of the source address refused",
	statusSourceNPI:    "ESME_RINVSRCNPI, numbering plan of the source address refused",
	statusTargetTON:    "ESME_RINVDSTTON, type of the destination address refused",
	statusTargetNPI:    "ESME_RINVDSTNPI, numbering plan of the destination address refused",
	statusSystemType:   "ESME_RINVSYSTYP, system type refused",
	0x58:               "ESME_RTHROTTLED, too many messages",
	0x62:               "ESME_RINVEXPIRY, validity period refused",
	statusNotSupported: "ESME_ROPTPARNOTALLWD, optional parameter refused",
}

// reason is a command_status in words.
func reason(status uint32) string {
	if why := reasons[status]; why != "" {
		return fmt.Sprintf("%#x %s", status, why)
	}
	return fmt.Sprintf("%#x", status)
}

// refusal is what a command_status of submit_sm_resp means to the caller. That
// the SMSC wants another kind of address is about it and not about the person,
// so it is ErrNoRoute, as is the form of the message. All that is not listed may
// pass: a full queue, throttling, a system error, codes of vendors.
func refusal(status uint32) error {
	switch status {
	case statusDestination:
		return fmt.Errorf("smpp: %w: %s", twinlatch.ErrBadRecipient, reason(status))
	case statusMsgLength, statusSource, statusServiceType, statusClass, statusSourceTON, statusSourceNPI,
		statusTargetTON, statusTargetNPI, statusNotSupported:
		return fmt.Errorf("smpp: %w: %s", twinlatch.ErrNoRoute, reason(status))
	}
	return errors.New("smpp: submit_sm refused: " + reason(status))
}
