import { resolve } from 'node:path';
import type { DoorPorts, DoorSettings } from '../gateways/mqtt/mqtt-gateway.ts';
import type { TlsMaterial } from '../gateways/mqtt/tls-material.ts';
import { WEBSOCKET_PATH } from '../gateways/mqtt/websocket-upgrade.ts';
import type { Config } from './config-schema.ts';
import { type ListenerAddress, urlOf } from './listening.ts';

type TcpDoor = keyof DoorPorts;

/** Which TCP doors the settings ask for, and where. */
export function doorAddresses({ mqtt, tls, ws }: Config): { readonly [K in TcpDoor]?: ListenerAddress } {
  return {
    tcp: { host: mqtt.host, port: mqtt.port, portKey: 'mqtt.port' },
    ...(tls.enabled ? { tls: { host: tls.host, port: tls.port, portKey: 'tls.port', enabledKey: 'tls.enabled' } } : {}),
    ...(ws.enabled ? { ws: { host: ws.host, port: ws.port, portKey: 'ws.port', enabledKey: 'ws.enabled' } } : {}),
    ...(ws.enabled && tls.enabled
      ? { wss: { host: ws.host, port: ws.tlsPort, portKey: 'ws.tlsPort', enabledKey: 'ws.enabled' } }
      : {}),
  };
}

/** The doors that one gateway thread opens, on the ports that were reserved. */
export function doorSettings(options: {
  readonly config: Config;
  readonly ports: DoorPorts;
  readonly tlsMaterial: TlsMaterial | undefined;
  readonly thread: number;
  /** Where it is false, the first thread listens for all. */
  readonly reusePort: boolean;
}): DoorSettings {
  const { config, ports, thread } = options;
  const first = thread === 0;
  const { tcp, tls, ws, wss } = first || options.reusePort ? doorAddresses(config) : {};
  const at = (address: ListenerAddress | undefined, port: number | undefined) =>
    address === undefined || port === undefined ? undefined : { host: address.host, port };
  return {
    tcp: at(tcp, ports.tcp),
    tls: at(tls, ports.tls),
    ws: at(ws, ports.ws),
    wss: at(wss, ports.wss),
    unix: first ? unixPath(config) : undefined,
    tlsMaterial: options.tlsMaterial,
    clientCertificates: config.tls.clientCertificates,
    proxyProtocol: config.mqtt.proxyProtocol === 'required',
    localPagesOnly: config.access.mode === 'open',
  };
}

/** Where clients on this machine find the doors. */
export interface DoorUrls {
  readonly mqtt: string;
  readonly mqtts: string | undefined;
  readonly ws: string | undefined;
  readonly wss: string | undefined;
  /** A path. */
  readonly unix: string | undefined;
}

export function doorUrls(config: Config, ports: DoorPorts): DoorUrls {
  const addresses = doorAddresses(config);
  const url = (scheme: string, door: TcpDoor, path = ''): string | undefined => {
    const [host, port] = [addresses[door]?.host, ports[door]];
    return host === undefined || port === undefined ? undefined : urlOf(scheme, host, port, path);
  };
  return {
    mqtt: url('mqtt', 'tcp') ?? '',
    mqtts: url('mqtts', 'tls'),
    ws: url('ws', 'ws', WEBSOCKET_PATH),
    wss: url('wss', 'wss', WEBSOCKET_PATH),
    unix: unixPath(config),
  };
}

function unixPath({ mqtt }: Config): string | undefined {
  return mqtt.unixSocket === '' ? undefined : resolve(mqtt.unixSocket);
}
