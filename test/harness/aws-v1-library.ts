import awsIot, { type Device, type DeviceOptions } from 'aws-iot-device-sdk';
import { type ClientLibrary, type ClientOptions, type Heard, nodeTlsOptions, type Way } from './client-library.ts';

/** Longer than any test: a client whose connection was taken from it must not come back for it. */
const RECONNECT_MS = 600_000;

/**
 * The AWS IoT Device SDK v1 for JavaScript (MQTT 3.1.1).
 *
 * It has two ways in: MQTT over TLS, for which it insists on a device certificate, and a signed WebSocket over TLS. It offers the
 * subprotocol `mqttv3.1`, of the time before 3.1.1.
 */
export const AWS_V1: ClientLibrary = {
  name: 'AWS IoT Device SDK v1',
  version: 4,
  doors: ['mutual TLS', 'WebSocket over TLS', 'WebSocket over mutual TLS'],
  maxQos: 2,
  open: async (way, options) => {
    const device = new awsIot.device(awsV1Options(way, options));
    const heard: Heard[] = [];
    device.on('message', (topic: string, payload: Buffer, { qos, retain }: { qos: number; retain: boolean }) =>
      heard.push({ topic, text: payload.toString(), qos, retain }),
    );
    const connected = new Promise<boolean>((resolve, reject) => {
      device.once('connect', ({ sessionPresent }: { sessionPresent: boolean }) => resolve(sessionPresent));
      device.on('error', reject);
      device.once('close', () => reject(new Error('the connection was closed')));
    });
    const sessionPresent = await connected.catch(async (error: unknown) => {
      await end(device, true);
      throw error;
    });
    return {
      sessionPresent,
      heard,
      subscribe: async (filter, qos) =>
        await new Promise((resolve, reject) => {
          device.subscribe(filter, { qos }, (error, granted) =>
            error instanceof Error ? reject(error) : resolve(granted[0]?.qos ?? 0x80),
          );
        }),
      publish: async (topic, text, { qos, retain = false }) =>
        await new Promise((resolve, reject) => {
          device.publish(topic, text, { qos, retain }, (error) => (error instanceof Error ? reject(error) : resolve()));
        }),
      leave: async () => await end(device, false),
    };
  },
};

export function awsV1Options(way: Way, { clientId, kept = false, will, account, alpn }: ClientOptions): DeviceOptions {
  const { tls } = way;
  if (tls === undefined) throw new Error('this SDK has no connection without TLS');
  const certificate = tls.certificate;
  const entrance = way.isWebSocket
    ? ({
        protocol: 'wss',
        region: 'eu-central-1',
        accessKeyId: 'AKIDEXAMPLE',
        secretKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
        websocketOptions: nodeTlsOptions(way),
      } as const)
    : ({
        protocol: 'mqtts',
        caPath: tls.caFile,
        ...(certificate === undefined ? {} : { certPath: certificate.certFile, keyPath: certificate.keyFile }),
        ...(alpn === undefined ? {} : { ALPNProtocols: [alpn] }),
      } as const);
  return {
    host: way.host,
    port: way.port,
    clientId,
    clean: !kept,
    baseReconnectTimeMs: RECONNECT_MS,
    minimumConnectionTimeMs: RECONNECT_MS,
    maximumReconnectTimeMs: RECONNECT_MS,
    drainTimeMs: 5,
    ...entrance,
    ...account,
    ...(will === undefined ? {} : { will: { topic: will.topic, payload: will.text, qos: will.qos, retain: will.retain } }),
  };
}

async function end(device: Device, force: boolean): Promise<void> {
  await new Promise<void>((resolve) => device.end(force, resolve));
}
