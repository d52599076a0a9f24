import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findProgram } from '../harness/programs.ts';
import { ADMIN_KEY, eventually, Selsyn } from '../harness/selsyn.ts';

const MOSQUITTO_PUB = findProgram('mosquitto_pub') ?? '';

describe('the doors of a running server', () => {
  let folder = '';
  const clients: MqttClient[] = [];
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'selsyn-doors-'))));
  afterEach(() => {
    for (const client of clients.splice(0)) client.end(true);
    rmSync(folder, { recursive: true });
  });
  const dial = async (url: string, options: IClientOptions = {}): Promise<MqttClient> => {
    const client = await connectAsync(url, { reconnectPeriod: 0, protocolVersion: 5, ...options });
    clients.push(client);
    return client;
  };
  /** The certificate that the TLS door shows, or that of another URL. */
  const shown = async (selsyn: Selsyn, caFile: string, url = selsyn.mqttsUrl): Promise<string> => {
    const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', ca: readFileSync(caFile) });
    await once(socket, 'secureConnect');
    const fingerprint = socket.getPeerX509Certificate()?.fingerprint256 ?? '';
    socket.destroy();
    return fingerprint;
  };

  it.each([1, 2])(
    'lead to one broker with %i threads: TCP, TLS, WebSocket, WebSocket over TLS and a Unix socket',
    async (threads) => {
      const unix = join(folder, 'mqtt.sock');
      await using selsyn = await Selsyn.start({
        settings: ['access.mode=open', `gateway.threads=${threads}`, `mqtt.unixSocket=${unix}`],
      });
      const ca = readFileSync(selsyn.caFile);
      const urls = [selsyn.mqttUrl, selsyn.mqttsUrl, selsyn.wsUrl, selsyn.wssUrl];
      expect(urls.map((url) => new URL(url).protocol)).toEqual(['mqtt:', 'mqtts:', 'ws:', 'wss:']);
      for (const text of [...urls, 'ca.crt', unix]) expect(selsyn.said).toContain(text);
      const all = await Promise.all(urls.map(async (url, n) => await dial(url, { ca, clientId: `door-${n}` })));
      all.push(await dial(`mqtt+unix://${unix}`, { clientId: 'door-unix' }));
      const heard = all.map((): string[] => []);
      for (const [n, client] of all.entries()) {
        client.on('message', (topic, payload) => heard[n]?.push(`${topic} ${payload.toString()}`));
        await client.subscribeAsync('room/+', { qos: 1 });
      }
      for (const [n, client] of all.entries()) await client.publishAsync(`room/${n}`, 'x'.repeat(20_000), { qos: 1 });
      const everything = all.map((_, n) => `room/${n} ${'x'.repeat(20_000)}`);
      for (const lines of heard) await eventually(async () => (lines.length >= all.length ? true : undefined));
      for (const lines of heard) expect(lines.toSorted()).toEqual(everything);
      const metrics = await (await selsyn.fetch('/metrics')).text();
      for (const door of ['tcp', 'tls', 'ws', 'wss', 'unix'])
        expect(metrics).toMatch(
          new RegExp(`selsyn_mqtt_admitted_connections_total\\{door="${door}",thread="gateway-\\d"\\} [1-9]`),
        );
    },
  );

  it.skipIf(MOSQUITTO_PUB === '')(
    'let mosquitto_pub and mosquitto_sub in with the authority and a device certificate',
    async () => {
      await using selsyn = await Selsyn.start({ settings: ['access.mode=open', 'tls.clientCertificates=required'] });
      const made = await selsyn.cli('cert', 'issue', 'd1', '--create', '--out', join(folder, 'd1'));
      expect([made.code, made.stderr]).toEqual([0, '']);
      const common = [
        '-h',
        'localhost',
        '-p',
        new URL(selsyn.mqttsUrl).port,
        '--cafile',
        join(folder, 'd1', 'ca.crt'),
        '-t',
        'room',
        '-q',
        '1',
      ];
      const withCertificate = [...common, '--cert', join(folder, 'd1', 'd1.crt'), '--key', join(folder, 'd1', 'd1.key')];
      expect(statSync(join(folder, 'd1', 'd1.key')).mode & 0o777).toBe(0o600);
      execFileSync(MOSQUITTO_PUB, [...withCertificate, '-r', '-m', 'hello']);
      expect(execFileSync('mosquitto_sub', [...withCertificate, '-C', '1', '-W', '30'], { encoding: 'utf8' })).toBe('hello\n');
      expect(() => execFileSync(MOSQUITTO_PUB, [...common, '-m', 'no'], { stdio: 'pipe' })).toThrow();
      const again = await selsyn.cli('cert', 'issue', 'd1', '--create', '--out', join(folder, 'd1'));
      expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('exists already')]);
    },
  );

  it('keep one certificate over restarts, and take another while clients stay connected', async () => {
    const files = { cert: join(folder, 'server.crt'), key: join(folder, 'server.key') };
    const makeOwn = (name: string): void => {
      const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
      const curve = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
      execFileSync('openssl', ['req', ...curve, ...subject, '-keyout', files.key, '-out', files.cert], { stdio: 'pipe' });
    };
    await using selsyn = await Selsyn.start({ settings: ['access.mode=open', 'gateway.threads=2'] });
    const first = await shown(selsyn, selsyn.caFile);
    await selsyn.end('SIGTERM');
    await selsyn.restart();
    expect(await shown(selsyn, selsyn.caFile)).toBe(first);
    expect(statSync(join(selsyn.data, 'pki', 'ca.key')).mode & 0o777).toBe(0o600);

    makeOwn('one');
    await using own = await Selsyn.start({
      settings: [
        'access.mode=open',
        'gateway.threads=2',
        'logLevel=info',
        `tls.certFile=${files.cert}`,
        `tls.keyFile=${files.key}`,
      ],
    });
    expect(own.caFile).toBe('');
    const one = await shown(own, files.cert);
    const stays = await dial(own.mqttsUrl, { ca: readFileSync(files.cert) });
    makeOwn('two');
    process.kill(own.pid, 'SIGHUP');
    await eventually(async () => (own.said.includes('the TLS certificate was read again') ? true : undefined));
    for (let n = 0; n < 8; n++) expect(await shown(own, files.cert)).not.toBe(one);
    expect(await shown(own, files.cert, own.httpsUrl)).toBe(await shown(own, files.cert));
    writeFileSync(files.key, 'broken');
    process.kill(own.pid, 'SIGHUP');
    await eventually(async () => (own.said.includes('the old one stays in use') ? true : undefined));
    expect(await shown(own, files.cert)).not.toBe(one);
    await stays.publishAsync('still', 'here', { qos: 1 });
  });

  it('serve the API over HTTPS too, also under names that plain HTTP on loopback refuses, and end its streams when the server stops', async () => {
    await using selsyn = await Selsyn.start();
    expect(selsyn.said).toContain(selsyn.httpsUrl);
    expect(await shown(selsyn, selsyn.caFile, selsyn.httpsUrl)).toBe(await shown(selsyn, selsyn.caFile));
    const agent = new Agent({ ca: readFileSync(selsyn.caFile), servername: 'localhost', keepAlive: true });
    const get = async (path: string, headers: Record<string, string> = {}): Promise<IncomingMessage> =>
      await new Promise((resolve, reject) => {
        request(`${selsyn.httpsUrl}${path}`, { agent, headers: { authorization: `Bearer ${ADMIN_KEY}`, ...headers } }, resolve)
          .on('error', reject)
          .end();
      });
    const named = { host: 'iot.example.com' };
    const me = await get('/api/v1/me', named);
    expect([me.statusCode, (await selsyn.fetch('/api/v1/me')).status]).toEqual([200, 200]);
    me.resume();
    const stream = await get('/api/v1/live?devices=');
    let heard = '';
    stream.setEncoding('utf8').on('data', (piece: string) => (heard += piece));
    const ended = once(stream, 'end');
    await selsyn.end('SIGTERM');
    await ended;
    expect(heard).toContain('event: bye');
    agent.destroy();
  });

  it('are removed, the Unix socket too, when the server stops', async () => {
    const unix = join(folder, 'mqtt.sock');
    await using selsyn = await Selsyn.start({ settings: [`mqtt.unixSocket=${unix}`, 'ws.enabled=false', 'tls.enabled=false'] });
    expect([existsSync(unix), selsyn.mqttsUrl, selsyn.wsUrl, selsyn.wssUrl, selsyn.httpsUrl, selsyn.caFile]).toEqual([
      true,
      '',
      '',
      '',
      '',
      '',
    ]);
    await selsyn.end('SIGTERM');
    expect(existsSync(unix)).toBe(false);
  });
});
