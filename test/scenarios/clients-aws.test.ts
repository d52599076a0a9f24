import awsIot from 'aws-iot-device-sdk';
import { describe, expect, it } from 'vitest';
import { AWS_V1, awsV1Options } from '../harness/aws-v1-library.ts';
import { AWS_V2_MQTT311, AWS_V2_MQTT5 } from '../harness/aws-v2-library.ts';
import { describeLibraries } from './clients.fixture.ts';

const servers = describeLibraries([AWS_V1, AWS_V2_MQTT311, AWS_V2_MQTT5]);

describe.each([AWS_V1, AWS_V2_MQTT311, AWS_V2_MQTT5])('$name', (library) => {
  it.each(['x-amzn-mqtt-ca', 'mqtt'])('is let in when it offers %s by ALPN', async (alpn) => {
    const client = await library.open(servers.through('mutual TLS'), { clientId: `alpn-${alpn}`, alpn });
    await client.publish('alpn', alpn, { qos: 1 });
    await client.leave();
  });

  it('is refused when it offers another protocol by ALPN', async () => {
    await expect(library.open(servers.through('mutual TLS'), { clientId: 'alpn', alpn: 'h2' })).rejects.toThrow();
  });
});

describe('AWS IoT Device SDK v1', () => {
  it('comes by a WebSocket with the headers of a custom authorizer', async () => {
    const {
      accessKeyId: _id,
      secretKey: _key,
      ...options
    } = awsV1Options(servers.through('WebSocket over TLS'), { clientId: 'custom' });
    const device = new awsIot.device({
      ...options,
      protocol: 'wss-custom-auth',
      customAuthHeaders: { 'X-Amz-CustomAuthorizer-Name': 'x' },
    });
    await new Promise((resolve, reject) => device.once('connect', resolve).once('error', reject));
    await new Promise<void>((resolve) => device.end(false, resolve));
  });

  it('subscribes all the topics of a shadow', async () => {
    const shadows = new awsIot.thingShadow(awsV1Options(servers.through('mutual TLS'), { clientId: 'shadow' }));
    await new Promise((resolve, reject) => shadows.once('connect', resolve).once('error', reject));
    // Without an error each of its topics was granted; it lists those that were not.
    await new Promise<void>((resolve, reject) =>
      shadows.register('d1', {}, (error, refused) => (error instanceof Error ? reject(new Error(String(refused))) : resolve())),
    );
    await new Promise<void>((resolve) => shadows.end(false, resolve));
  });
});
