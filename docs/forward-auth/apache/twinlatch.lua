-- Apache 2.4 with mod_lua, and LuaSocket (Debian: lua-socket). Asks Twinlatch
-- whether a request may go on; site.conf beside this file shows how to use it.
--
-- TWINLATCH in Apache's environment (Debian: export it in /etc/apache2/envvars)
-- says where Twinlatch listens.
local http = require "socket.http"
local ltn12 = require "ltn12"
http.TIMEOUT = 15 -- seconds

local question = "http://" .. (os.getenv("TWINLATCH") or "127.0.0.1:8080") .. "/auth/forward"

-- What the answer tells the app.
local told = { "Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups", "X-2SV-At", "X-2SV-Method" }

-- What the client tells Twinlatch. Nothing else of it gets there.
local asked = { "Cookie", "Accept", "Sec-Fetch-Mode", "X-Requested-With", "Referer", "User-Agent", "Accept-Language" }

-- What the answer tells the client, where it is no.
local replied = { "Location", "Set-Cookie", "WWW-Authenticate", "Cache-Control", "Content-Security-Policy", "X-2SV-Problem" }

-- Every spelling that WSGI, PHP or CGI cannot tell from name.
local function spellings(name)
	local all = { "" }
	for part, separator in name:gmatch("([^-]+)(-?)") do
		local longer = {}
		for _, start in ipairs(all) do
			if separator == "" then
				longer[#longer + 1] = start .. part
			else
				for other in ("-_.!#$%&'*+^`|~"):gmatch(".") do
					longer[#longer + 1] = start .. part .. other
				end
			end
		end
		all = longer
	end
	return all
end

local drop = {}
for _, name in ipairs(told) do
	for _, spelling in ipairs(spellings(name)) do
		drop[#drop + 1] = spelling
	end
end

-- DONE says that the answer is complete: the request goes no further.
local function refuse(r, status, headers, body)
	r.status = status
	for _, name in ipairs(replied) do
		if headers[name:lower()] then
			r.err_headers_out[name] = headers[name:lower()]
		end
	end
	r.content_type = headers["content-type"] or "text/plain; charset=utf-8"
	r:write(body)
	return apache2.DONE
end

function check(r)
	-- "On" makes this ServerName, else it is what the client says.
	local scheme, host = r:construct_url("/"):match("^(https?)://([^/]+)/$")

	local headers = {
		["X-Forwarded-Method"] = r.method,
		["X-Forwarded-Proto"] = scheme,
		["X-Forwarded-Host"] = host,
		["X-Forwarded-Uri"] = r.unparsed_uri:gsub("^%a[%w+.-]*://[^/?]*", ""), -- nothing decoded or merged
		["X-Forwarded-For"] = r.useragent_ip,
	}
	for _, name in ipairs(asked) do
		headers[name] = r.headers_in[name]
	end

	local body = {}
	local _, status, answer = http.request({
		url = question,
		headers = headers,
		redirect = false,
		sink = ltn12.sink.table(body),
	})
	-- Without an answer nobody gets in, and Apache does the same where this fails.
	-- A yes without what the app is told is not Twinlatch's.
	if type(status) ~= "number" or status < 200 or status >= 500 or status == 200 and not answer["x-2sv-at"] then
		r:err("twinlatch: no answer from " .. question .. ": " .. tostring(status))
		return refuse(r, 502, {}, "The sign-in service does not answer.\n")
	end
	if status ~= 200 then
		return refuse(r, status, answer, table.concat(body))
	end

	for _, name in ipairs(drop) do
		r.headers_in[name] = nil
	end
	for _, name in ipairs(told) do
		r.headers_in[name] = answer[name:lower()] or ""
	end

	-- The app hears of the client from us alone, and by the host that was judged.
	r.headers_in["Host"] = host
	r.headers_in["Forwarded"] = nil
	r.headers_in["X-Forwarded-For"] = nil -- mod_proxy writes these three
	r.headers_in["X-Forwarded-Host"] = nil
	r.headers_in["X-Forwarded-Server"] = nil
	r.headers_in["X-Forwarded-Proto"] = scheme

	-- mod_proxy takes away the headers that Connection names. That must not be ours.
	local connection = (r.headers_in["Connection"] or ""):lower()
	if connection:find("upgrade", 1, true) then
		r.headers_in["Connection"] = "Upgrade"
	elseif connection:find("close", 1, true) then
		r.headers_in["Connection"] = "close"
	else
		r.headers_in["Connection"] = nil
	end
	return apache2.OK
end
