package signals

import "strings"

// Names of the dialects whose ids tell a role.
const livechatDialect = "livechat"

// RoleByID returns the role that an id tells by the id rule of the dialect,
// or [RoleUnknown]. It is the last resort, after the roster and the source's
// lists of agents and bots (contract, section 2).
//
// LiveChat's rule is inferred from its published samples: a UUID is a visitor,
// an e-mail address an agent, 32 hexadecimal digits a bot.
func RoleByID(dialect, id string) Role {
	if dialect != livechatDialect {
		return RoleUnknown
	}

	switch {
	case isUUID(id):
		return RoleVisitor
	case isEmail(id):
		return RoleAgent
	case len(id) == 32 && isHex(id):
		return RoleBot
	default:
		return RoleUnknown
	}
}

func isUUID(s string) bool {
	groups := strings.Split(s, "-")
	sizes := [...]int{8, 4, 4, 4, 12}

	if len(groups) != len(sizes) {
		return false
	}

	for i, group := range groups {
		if len(group) != sizes[i] || !isHex(group) {
			return false
		}
	}

	return true
}

func isHex(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}

	return true
}

func isEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")

	return ok && local != "" && domain != "" && !strings.ContainsAny(s, " \t\r\n") && !strings.Contains(domain, "@")
}
