import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { encodePacket } from '@selsyn/wire/mqtt/encoder.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClockSkew } from '../harness/clock-skew.ts';
import { findProgram } from '../harness/programs.ts';
import { eventually, Selsyn } from '../harness/selsyn.ts';

const DAY_MS = 86_400_000;
const MOSQUITTO_PUB = findProgram('mosquitto_pub') ?? '';
const MOSQUITTO_SUB = findProgram('mosquitto_sub') ?? '';
const folder = mkdtempSync(join(tmpdir(), 'selsyn-certificates-'));
const skew = new ClockSkew();
let selsyn: Selsyn;
beforeAll(async () => {
  selsyn = await Selsyn.start({ nodeOptions: skew.nodeOptions, settings: ['gateway.threads=2'] });
});
afterAll(async () => {
  await selsyn[Symbol.asyncDispose]();
  skew[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

interface Issued {
  readonly id: string;
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

async function cli(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await selsyn.cli(...args);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

async function issue(device: string, ...more: readonly string[]): Promise<Issued> {
  const out = mkdtempSync(join(folder, 'out-'));
  const said = JSON.parse(await cli('cert', 'issue', device, '--create', '--out', out, '--json', ...more)) as {
    certificateId: string;
  };
  return { id: said.certificateId, cert: join(out, `${device}.crt`), key: join(out, `${device}.key`), ca: join(out, 'ca.crt') };
}

/** A TLS connection as a device makes one, and what MQTT says on it. */
class DeviceConnection implements Disposable {
  readonly #socket: TLSSocket;
  readonly #bytes: Buffer[] = [];
  #session: Buffer | undefined;
  isClosed = false;
  isResumed = false;

  constructor(issued: Issued, options: { readonly session?: Buffer | undefined; readonly version: 'TLSv1.2' | 'TLSv1.3' }) {
    this.#socket = connect({
      host: '127.0.0.1',
      port: Number(new URL(selsyn.mqttsUrl).port),
      ca: readFileSync(issued.ca),
      cert: readFileSync(issued.cert),
      key: readFileSync(issued.key),
      session: options.session,
      minVersion: options.version,
      maxVersion: options.version,
    });
    this.#socket.on('data', (bytes: Buffer) => this.#bytes.push(bytes));
    this.#socket.on('secureConnect', () => (this.isResumed = this.#socket.isSessionReused()));
    this.#socket.on('session', (session: Buffer) => (this.#session = session));
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => (this.isClosed = true));
  }

  /** Sends CONNECT; the code of the CONNACK. */
  async greet(clientId: string): Promise<number> {
    this.#socket.write(encodePacket({ type: 'connect', version: 4, clientId, cleanStart: true, keepAliveSec: 60 } as never, 4));
    const connack = await eventually(async () => {
      const all = Buffer.concat(this.#bytes);
      return all.length >= 4 ? all : undefined;
    });
    expect([...connack.subarray(0, 3)]).toEqual([0x20, 2, 0]);
    return connack[3] ?? -1;
  }

  async ticket(): Promise<Buffer> {
    return await eventually(async () => this.#session);
  }

  async closed(): Promise<void> {
    await eventually(async () => (this.isClosed ? true : undefined));
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

describe('a certificate of selsyn cert issue', () => {
  it.skipIf(MOSQUITTO_PUB === '')('lets mosquitto_pub in over mutual TLS, with nothing else', async () => {
    const { id, cert, key, ca } = await issue('pub1');
    expect(statSync(key).mode & 0o777).toBe(0o600);
    const port = new URL(selsyn.mqttsUrl).port;
    const args = ['-h', 'localhost', '-p', port, '--cafile', ca, '--cert', cert, '--key', key, '-i', 'pub1', '-q', '1'];
    execFileSync(MOSQUITTO_PUB, [...args, '-t', 'telemetry/pub1', '-m', '{"temperature":23.5}']);
    const latest = await eventually(async () => {
      const values = await selsyn.get<Record<string, unknown>>('/api/v1/devices/pub1/telemetry/latest');
      return 'temperature' in values ? values : undefined;
    });
    expect(latest).toMatchObject({ temperature: [expect.any(Number), 23.5] });
    await eventually(async () => {
      const { firstUsedAtMs } = JSON.parse(await cli('cert', 'show', id.slice(0, 16), '--json')) as { firstUsedAtMs?: number };
      return firstUsedAtMs;
    });
    expect(await cli('cert', 'list', '--device', 'pub1')).toMatch(/pub1 +device +active +P-256/);
  });

  it.skipIf(MOSQUITTO_PUB === '')('lets mosquitto_pub in by the key of its own request', async () => {
    const out = mkdtempSync(join(folder, 'csr-'));
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    execFileSync('openssl', ['req', '-new', ...curve, '-subj', '/CN=anything', '-keyout', 'own.key', '-out', 'own.csr'], {
      cwd: out,
      stdio: 'pipe',
    });
    await cli('cert', 'issue', 'csr1', '--create', '--csr', join(out, 'own.csr'), '--out', out);
    expect(() => statSync(join(out, 'csr1.key'))).toThrow();
    const files = ['--cafile', join(out, 'ca.crt'), '--cert', join(out, 'csr1.crt'), '--key', join(out, 'own.key')];
    const port = new URL(selsyn.mqttsUrl).port;
    const args = ['-h', 'localhost', '-p', port, ...files, '-i', 'csr1', '-q', '1'];
    execFileSync(MOSQUITTO_PUB, [...args, '-t', 'telemetry/csr1', '-m', '{"a":1}']);
    const again = await selsyn.cli('cert', 'issue', 'csr1', '--csr', join(out, 'own.csr'), '--out', out);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('exists already')]);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'revoked: its connection is cut, and a resumed session refused, by %s',
    async (version) => {
      const device = `revoked-${version}`;
      const issued = await issue(device);
      using live = new DeviceConnection(issued, { version });
      expect(await live.greet(device)).toBe(0);
      const session = await live.ticket();
      using before = new DeviceConnection(issued, { version, session });
      expect(await before.greet(device)).toBe(0);
      expect(before.isResumed).toBe(true);
      // The one before it was taken over.
      await live.closed();
      expect(before.isClosed).toBe(false);
      await cli('cert', 'revoke', issued.id, '--reason', 'keyCompromise');
      await before.closed();
      using after = new DeviceConnection(issued, { version, session });
      expect(await after.greet(device)).not.toBe(0);
      expect(after.isResumed).toBe(true);
      using fresh = new DeviceConnection(issued, { version });
      expect(await fresh.greet(device)).not.toBe(0);
    },
  );

  it('rotated: the old one is good until the new one connects, and cut then', async () => {
    const version = 'TLSv1.3';
    const old = await issue('rotated');
    using before = new DeviceConnection(old, { version });
    expect(await before.greet('rotated')).toBe(0);
    const young = await issue('rotated');
    using still = new DeviceConnection(old, { version });
    expect(await still.greet('rotated')).toBe(0);
    using now = new DeviceConnection(young, { version });
    expect(await now.greet('rotated')).toBe(0);
    await still.closed();
    await eventually(async () => {
      const { revocationReason } = JSON.parse(await cli('cert', 'show', old.id, '--json')) as { revocationReason?: string };
      return revocationReason === 'superseded' ? true : undefined;
    });
    using late = new DeviceConnection(old, { version });
    expect(await late.greet('rotated')).not.toBe(0);
    expect(now.isClosed).toBe(false);
  });

  it('of a device that is removed lets nobody in, also when one of the same id comes after it', async () => {
    const issued = await issue('removed');
    await cli('device', 'remove', 'removed');
    await selsyn.addDevice('removed');
    using connection = new DeviceConnection(issued, { version: 'TLSv1.3' });
    expect(await connection.greet('removed')).not.toBe(0);
  });

  it('expired: its connection is cut, and a resumed session refused', async () => {
    const version = 'TLSv1.3';
    const issued = await issue('expired', '--days', '1');
    using live = new DeviceConnection(issued, { version });
    expect(await live.greet('expired')).toBe(0);
    const session = await live.ticket();
    expect(await cli('cert', 'expiring', '--within', '2')).toMatch(/expired +device +active/);
    skew.step(DAY_MS + 60_000);
    await live.closed();
    using after = new DeviceConnection(issued, { version, session });
    expect(await after.greet('expired')).not.toBe(0);
    expect(after.isResumed).toBe(true);
  });

  it.skipIf(MOSQUITTO_SUB === '')(
    'is asked for again at two thirds of its life, and its device finds that whenever it comes',
    async () => {
      const { id, cert, key, ca } = await issue('renewing', '--days', '12');
      skew.step(9 * DAY_MS);
      const port = new URL(selsyn.mqttsUrl).port;
      const args = ['-h', 'localhost', '-p', port, '--cafile', ca, '--cert', cert, '--key', key, '-i', 'renewing', '-q', '1'];
      const said = execFileSync(MOSQUITTO_SUB, [...args, '-t', 'devices/renewing/certificate/renew', '-C', '1', '-W', '45'], {
        encoding: 'utf8',
      });
      expect(JSON.parse(said)).toEqual({ certificateId: id, notAfter: expect.stringMatching(/^20\d\d-/) });
    },
  );
});

describe('an authority of one’s own', () => {
  it('is registered by proof of possession; handshakes trust it from then on, and no more after its revocation', async () => {
    const own = mkdtempSync(join(folder, 'ca-'));
    const openssl = (...args: readonly string[]): string =>
      execFileSync('openssl', args, { cwd: own, encoding: 'utf8', stdio: 'pipe' });
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    openssl('req', '-x509', ...curve, '-subj', '/CN=Factory', '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '30');
    const { code } = JSON.parse(await cli('ca', 'register', join(own, 'ca.pem'), '--json')) as { code: string };
    for (const [name, subject] of [
      ['proof', code],
      ['unit', 'unit-1'],
    ] as const) {
      openssl('req', '-new', ...curve, '-subj', `/CN=${subject}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
      openssl(
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        'ca.pem',
        '-CAkey',
        'ca.key',
        '-CAcreateserial',
        '-out',
        `${name}.pem`,
      );
    }
    /** Whether the server names it among those whose certificates it takes. */
    const trusted = (): boolean => {
      const { port } = new URL(selsyn.mqttsUrl);
      const files = ['-CAfile', selsyn.caFile, '-cert', 'unit.pem', '-key', 'unit.key'];
      const said = execFileSync('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...files, '-tls1_2'], {
        cwd: own,
        encoding: 'utf8',
        input: '',
        stdio: 'pipe',
      });
      return /Factory/.test(
        said.slice(said.indexOf('Acceptable client certificate CA names'), said.indexOf('Requested Signature')),
      );
    };
    expect(trusted()).toBe(false);
    await cli('ca', 'register', join(own, 'ca.pem'), '--proof', join(own, 'proof.pem'));
    await eventually(async () => (trusted() ? true : undefined));
    const listed = await cli('ca', 'list');
    expect(listed).toMatch(/registered +active.*Factory/);
    const id = /^([0-9a-f]{16}).*Factory/m.exec(listed)?.[1] ?? '';
    await cli('ca', 'revoke', id);
    await eventually(async () => (trusted() ? undefined : true));
    expect(await cli('ca', 'list')).toMatch(/registered +revoked/);
  });
});
