-- HAProxy 2.6 or newer, built with Lua (Debian's is). Asks Twinlatch whether a
-- request may go on; haproxy.cfg beside this file shows how to use it.
--
-- TWINLATCH in HAProxy's environment (Debian: /etc/default/haproxy) says where
-- Twinlatch listens. Take an address: a name needs a section "resolvers default".
local question = "http://" .. (os.getenv("TWINLATCH") or "127.0.0.1:8080") .. "/auth/forward"

-- What the answer tells the app.
local told = { "remote-user", "remote-email", "remote-name", "remote-groups", "x-2sv-at", "x-2sv-method" }
local ours = {}
for _, name in ipairs(told) do
	ours[name] = true
end

-- What the client tells Twinlatch. Nothing else of it gets there.
local asked = { "cookie", "accept", "sec-fetch-mode", "x-requested-with", "referer", "user-agent", "accept-language" }

-- What the answer tells the client, where it is no.
local replied = { "location", "set-cookie", "www-authenticate", "content-type", "cache-control", "content-security-policy", "x-2sv-problem" }

-- HAProxy counts the values of a header from 0.
local function join(values, separator)
	local all = { values[0] }
	for _, value in ipairs(values) do
		all[#all + 1] = value
	end
	return table.concat(all, separator)
end

local function refuse(txn, status, headers, body)
	local reply = txn:reply({ status = status })
	for name, values in pairs(headers) do
		for _, value in pairs(values) do
			reply:add_header(name, value)
		end
	end
	reply:set_body(body)
	txn:done(reply)
end

core.register_action("twinlatch", { "http-req" }, function(txn)
	local sent = txn.http:req_get_headers()
	local headers = {
		["x-forwarded-method"] = { txn.sf:method() },
		["x-forwarded-proto"] = { txn.f:ssl_fc() == 1 and "https" or "http" },
		["x-forwarded-host"] = { txn.sf:req_fhdr("host") },
		["x-forwarded-uri"] = { txn.sf:pathq() }, -- as it was sent: nothing decoded or merged
		["x-forwarded-for"] = { txn.sf:src() },
	}
	for _, name in ipairs(asked) do
		if sent[name] then
			headers[name] = { join(sent[name], name == "cookie" and "; " or ", ") }
		end
	end
	for _, name in ipairs({ "accept", "user-agent" }) do
		headers[name] = headers[name] or { "" } -- or HAProxy would speak for itself
	end

	-- Without an answer nobody gets in, also if this fails in a way that we do not
	-- know. A yes without what the app is told is not Twinlatch's.
	local asked_well, answer = pcall(function()
		return core.httpclient():get({ url = question, headers = headers, timeout = 15000 })
	end)
	if not asked_well or not answer or not answer.status or answer.status < 200 or answer.status >= 500
		or answer.status == 200 and not answer.headers["x-2sv-at"] then
		txn:Warning("twinlatch: no answer from " .. question)
		refuse(txn, 502, { ["content-type"] = { "text/plain" }, ["cache-control"] = { "no-store" } }, "The sign-in service does not answer.\n")
		return
	end

	if answer.status ~= 200 then
		local passed = {}
		for _, name in ipairs(replied) do
			passed[name] = answer.headers[name]
		end
		refuse(txn, answer.status, passed, answer.body or "")
		return
	end

	-- A name that WSGI, PHP or CGI cannot tell from ours, as remote_user, counts as ours.
	for name in pairs(sent) do
		if ours[name:lower():gsub("[^a-z0-9]", "-")] then
			txn.http:req_del_header(name)
		end
	end
	for _, name in ipairs(told) do
		txn.http:req_set_header(name, answer.headers[name] and answer.headers[name][0] or "")
	end
end)
