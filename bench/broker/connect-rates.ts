import type { Certificates } from '../harness/certificates.ts';
import type { ChildServer } from '../harness/child-server.ts';
import { runConnects, type ConnectOptions, type ConnectResult } from '../harness/mqtt-connect.ts';
import { IS_SHORT } from '../harness/phase.ts';
import { startMosquitto, startSelsyn } from '../harness/servers.ts';
import { rateRows, type RateSample } from './broker-rows.ts';
import { FULL_SPEED, ROUNDS, Tally, type Part } from './part.ts';

/** A connection is a long way through code that is compiled as it is used: longer than a message's. */
const FIRST_WARMUP_SECONDS = IS_SHORT ? 0.5 : 2;

interface Kind {
  readonly what: string;
  readonly door: 'plain' | 'tls' | 'mutual';
  readonly load: Pick<ConnectOptions, 'tls' | 'resume'>;
}

const PLAIN: Kind = { what: 'plain', door: 'plain', load: {} };
const KINDS: readonly Kind[] = [
  PLAIN,
  { what: 'TLS 1.2', door: 'tls', load: { tls: 12 } },
  { what: 'TLS 1.3', door: 'tls', load: { tls: 13 } },
  { what: 'TLS 1.3, resumed', door: 'tls', load: { tls: 13, resume: 1 } },
  { what: 'mutual TLS 1.2', door: 'mutual', load: { tls: 12 } },
  { what: 'mutual TLS 1.3', door: 'mutual', load: { tls: 13 } },
  { what: 'mutual TLS 1.2, resumed', door: 'mutual', load: { tls: 12, resume: 1 } },
  { what: 'mutual TLS 1.3, resumed', door: 'mutual', load: { tls: 13, resume: 1 } },
];

/**
 * New connections a second, 64 under way: TCP, handshake, CONNECT, CONNACK, DISCONNECT, and the broker's end of the
 * connection; 5,000 client ids in turn, clean sessions. All keys are P-256. The load generator pays as much for a handshake as
 * a server: see the CPU of the servers.
 */
export const connectRates: Part = {
  name: 'connects',
  async run({ hasMosquitto, certificates }) {
    const tally = new Tally<RateSample & { readonly resumed: number }>();
    const kinds = certificates === undefined ? [PLAIN] : KINDS;
    for (const mutual of [false, true]) {
      const ofDoor = kinds.filter(({ door }) => (door === 'mutual') === mutual);
      if (ofDoor.length === 0) continue;
      const selsyn = await startSelsyn({ settings: settingsOf(certificates, mutual) });
      await using _selsyn = selsyn.process;
      const peer = hasMosquitto ? await startMosquitto({ noDelay: true, mutual, ...given(certificates) }) : undefined;
      await using _peer = peer?.process;
      for (let round = 0; round < ROUNDS; round += 1) {
        const warmup = round === 0 ? FIRST_WARMUP_SECONDS : FULL_SPEED.warmup;
        for (const kind of ofDoor) {
          tally.add(kind.what, 'selsyn', await measure(selsyn, { ...kind, warmup }, certificates));
          if (peer !== undefined) tally.add(kind.what, 'mosquitto', await measure(peer, { ...kind, warmup }, certificates));
        }
      }
    }
    return { rows: kinds.flatMap(({ what }) => rateRows(`connect, ${what}`, 'connections', tally.of(what))), measured: tally };
  },
};

/** Selsyn's settings for these certificates. */
export function settingsOf(certificates: Certificates | undefined, mutual: boolean): string[] {
  if (certificates === undefined) return [];
  const { server, serverKey, authority } = certificates;
  return [
    `tls.certFile=${server}`,
    `tls.keyFile=${serverKey}`,
    `tls.clientCaFile=${authority}`,
    `tls.clientCertificates=${mutual ? 'required' : 'none'}`,
  ];
}

function given(certificates: Certificates | undefined): { certificates?: Certificates } {
  return certificates === undefined ? {} : { certificates };
}

async function measure(
  server: { readonly process: ChildServer; readonly mqttPort: number; readonly tlsPort: number },
  { what, door, load, warmup }: Kind & { readonly warmup: number },
  certificates: Certificates | undefined,
): Promise<RateSample & { readonly resumed: number }> {
  const before = server.process.cpuSeconds();
  const result: ConnectResult = await runConnects({
    port: door === 'plain' ? server.mqttPort : server.tlsPort,
    ...load,
    ...(door === 'mutual' && certificates !== undefined ? { certificate: certificates.client, key: certificates.clientKey } : {}),
    seconds: FULL_SPEED.seconds,
    warmup,
  });
  const cpuSeconds = server.process.cpuSeconds() - before;
  if (load.resume === 1 && result.resumed < 0.9 * result.connections)
    throw new Error(`${what}: only ${result.resumed} of ${result.connections} connections were`);
  return {
    perSecond: result.perSecond,
    loadBusy: result.loadBusy,
    serverCpuUs: (cpuSeconds / result.all) * 1e6,
    resumed: result.resumed,
  };
}
