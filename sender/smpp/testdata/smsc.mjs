// An SMSC for the tests, by the npm package "smpp": its decoder and its alphabets
// are not ours. Commands come as lines of JSON, {id, do, …}; each is answered by
// {id, …}. {event} tells what happened by itself. It ends with its input.
import { createInterface } from 'node:readline';
import smpp from 'smpp';

const servers = [];
const tell = (line) => process.stdout.write(JSON.stringify(line) + '\n');

// refused quotes what it refuses, as careless servers do.
const refused = { badRecipient: smpp.ESME_RINVDSTADR, noRoute: smpp.ESME_RINVSRCADR, throttle: smpp.ESME_RTHROTTLED };

const raw = (command, status, sequence, text) => {
  const body = Buffer.from(text + '\0', 'latin1');
  const head = Buffer.alloc(16);
  [16 + body.length, command, status, sequence].forEach((n, i) => head.writeUInt32BE(n, 4 * i));
  return Buffer.concat([head, body]);
};

// wrong is the command_status for a submit_sm that breaks the standard.
function wrong(pdu) {
  const text = pdu.short_message, payload = pdu.message_payload;
  if (pdu.dest_addr_ton !== 1) return smpp.ESME_RINVDSTTON;
  if (pdu.dest_addr_npi !== 1) return smpp.ESME_RINVDSTNPI;
  if (!/^[1-9][0-9]{6,14}$/.test(pdu.destination_addr)) return smpp.ESME_RINVDSTADR;
  if (pdu.source_addr_ton !== 5 || pdu.source_addr !== 'Example') return smpp.ESME_RINVSRCADR;
  if (!(pdu.validity_period > Date.now())) return smpp.ESME_RINVEXPIRY;
  if (pdu.data_coding !== 0 && pdu.data_coding !== 8) return smpp.ESME_RSYSERR;
  if (pdu.esm_class !== (text.udh ? 0x40 : 0)) return smpp.ESME_RINVESMCLASS;
  if (payload && text.message) return smpp.ESME_RINVMSGLEN;
  const units = text.message.replace(/[\f^{}\\[~\]|€]/g, '..').length;
  const most = pdu.data_coding === 8 ? (text.udh ? 67 : 70) : text.udh ? 153 : 160;
  if ((pdu.data_coding === 8 ? text.message.length : units) > most) return smpp.ESME_RINVMSGLEN;
  return 0;
}

class Server {
  constructor({ password, key, cert }) {
    Object.assign(this, { password, taken: [], parts: new Map(), binds: [], unbinds: 0, last: 0x0a00, how: '', waiters: [] });
    this.server = smpp.createServer(key ? { key, cert } : {}, (session) => this.serve(session));
    this.server.on('tlsClientError', () => {});
  }

  serve(session) {
    session.on('error', () => session.destroy());
    for (const command of ['bind_transceiver', 'bind_transmitter']) {
      session.on(command, (pdu) => {
        this.binds.push(command);
        if (pdu.system_id !== 'twinlatch' || pdu.password !== this.password || pdu.interface_version !== 0x34) {
          session.send(pdu.response({ command_status: smpp.ESME_RINVPASWD }));
          session.close();
          return;
        }
        session.send(pdu.response({ system_id: 'smsc', sc_interface_version: 0x34 }));
        this.session = session;
        this.waiters.forEach((look) => look());
      });
    }
    session.on('enquire_link', (pdu) => session.send(pdu.response()));
    session.on('unbind', (pdu) => {
      this.unbinds++;
      session.send(pdu.response());
      session.close();
    });
    session.on('submit_sm', (pdu) => this.submit(session, pdu));
  }

  submit(session, pdu) {
    const how = this.how;
    const status = refused[how] ?? wrong(pdu);
    const id = (++this.last).toString(16);
    const resp = (s, text) => raw(0x80000004, s, pdu.sequence_number, text);
    this.how = '';
    switch (true) {
      case status !== 0:
        session.socket.write(resp(status, pdu.destination_addr + ' ' + pdu.short_message.message));
        return;
      case how === 'break':
        session.socket.end(resp(0, id).subarray(0, 18));
        return;
      case how === 'babble':
        session.socket.write('HTTP/1.1 400 Bad Request\r\n\r\n' + pdu.short_message.message);
        return;
      case how === 'hang':
        tell({ event: 'there', server: this.index });
        return;
      case how === 'drop':
        session.destroy();
        return;
    }
    this.keep(pdu, id);
    session.socket.write(resp(0, id));
    if (how === 'twice') session.socket.write(resp(0, id));
  }

  keep(pdu, ref) {
    const text = pdu.short_message;
    const m = {
      to: '+' + pdu.destination_addr, ref, coding: pdu.data_coding, receipts: pdu.registered_delivery,
      body: pdu.message_payload?.message ?? text.message, parts: 1, payload: !!pdu.message_payload,
    };
    if (text.udh) {
      const [kind, size, reference, total, n] = text.udh[0];
      if (text.udh.length !== 1 || kind !== 0 || size !== 3) throw new Error('another header');
      const key = [pdu.destination_addr, reference, total].join();
      const all = this.parts.get(key) ?? [];
      this.parts.set(key, all);
      all[n - 1] = text.message;
      if (all.filter((t) => t !== undefined).length < total) return;
      this.parts.delete(key);
      Object.assign(m, { body: all.join(''), parts: total });
    }
    this.taken.push(m);
  }
}

const commands = {
  open: (c, done) => {
    const s = new Server(c);
    s.index = servers.push(s) - 1;
    s.server.listen(0, '127.0.0.1', () => done({ server: s.index, port: s.server.address().port }));
  },
  next: (c, done) => { servers[c.server].how = c.how; done({}); },
  seen: (c, done) => {
    const { taken, binds, unbinds } = servers[c.server];
    done({ taken, binds, unbinds });
  },
  bound: (c, done) => { // answers after so many binds
    const s = servers[c.server];
    const look = () => {
      if (s.binds.length < c.binds) return;
      s.waiters = s.waiters.filter((other) => other !== look);
      done({});
    };
    s.waiters.push(look);
    look();
  },
  deliver: (c, done) => {
    servers[c.server].session.deliver_sm(c.pdu, (resp) => done({ command: resp.command, status: resp.command_status }));
  },
  enquire: (c, done) => {
    servers[c.server].session.enquire_link((resp) => done({ command: resp.command, status: resp.command_status }));
  },
  query: (c, done) => { // which no ESME serves
    servers[c.server].session.query_sm({ message_id: '1' }, (resp) => done({ command: resp.command, status: resp.command_status }));
  },
  drop: (c, done) => { servers[c.server].session.destroy(); done({}); },
};

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const c = JSON.parse(line);
    commands[c.do](c, (result) => tell({ id: c.id, ...result }));
  })
  .on('close', () => process.exit(0));
