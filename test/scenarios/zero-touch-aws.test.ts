import { io, iot, iotidentity, mqtt, mqtt5 } from 'aws-iot-device-sdk-v2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findProgram } from '../harness/programs.ts';
import { CONFIGURATION, Factory } from './zero-touch.fixture.ts';

const OPENSSL = findProgram('openssl') ?? '';

describe.skipIf(OPENSSL === '')('the AWS identity client, over mutual TLS with a claim certificate', () => {
  const factory = new Factory();
  beforeAll(async () => await factory.start());
  afterAll(async () => await factory.stop());
  const TIMEOUT_MS = 90_000;
  interface Identity {
    byCsr(csr: string): Promise<iotidentity.model.CreateCertificateFromCsrResponse>;
    withKeys(): Promise<iotidentity.model.CreateKeysAndCertificateResponse>;
    register(request: iotidentity.model.RegisterThingRequest): Promise<iotidentity.model.RegisterThingResponse>;
    close(): Promise<void>;
  }
  const host = (): string => 'localhost';
  const port = (): number => Number(new URL(factory.selsyn.mqttsUrl).port);
  const builder311 = () =>
    iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder_from_path(
      factory.folder.file('claim.crt'),
      factory.folder.file('claim.key'),
    )
      .with_certificate_authority_from_path(undefined, factory.folder.file('ca.crt'))
      .with_endpoint(host())
      .with_port(port())
      .with_clean_session(true);

  /** The older client of the service: subscriptions and publishes by hand. */
  const classic = async (): Promise<Identity> => {
    const connection = new mqtt.MqttClient().new_connection(builder311().with_client_id('factory-classic').build());
    await connection.connect();
    const client = new iotidentity.IotIdentityClient(connection);
    const { AtLeastOnce } = mqtt.QoS;
    const answered = async <T>(
      begin: (
        resolve: (error?: unknown, response?: T) => void,
        reject: (error?: unknown, response?: iotidentity.model.ErrorResponse) => void,
      ) => Promise<void>,
    ): Promise<T> =>
      await new Promise<T>((resolve, reject) => {
        setTimeout(() => reject(new Error('no answer came')), TIMEOUT_MS).unref();
        const failed = (error: unknown): void => reject(error instanceof Error ? error : new Error(JSON.stringify(error)));
        begin(
          (error, response) => (response === undefined ? failed(error) : resolve(response)),
          (error, response) => failed(response ?? error),
        ).catch(failed);
      });
    return {
      byCsr: async (certificateSigningRequest) =>
        await answered(async (resolve, reject) => {
          await client.subscribeToCreateCertificateFromCsrAccepted({}, AtLeastOnce, resolve);
          await client.subscribeToCreateCertificateFromCsrRejected({}, AtLeastOnce, reject);
          await client.publishCreateCertificateFromCsr({ certificateSigningRequest }, AtLeastOnce);
        }),
      withKeys: async () =>
        await answered(async (resolve, reject) => {
          await client.subscribeToCreateKeysAndCertificateAccepted({}, AtLeastOnce, resolve);
          await client.subscribeToCreateKeysAndCertificateRejected({}, AtLeastOnce, reject);
          await client.publishCreateKeysAndCertificate({}, AtLeastOnce);
        }),
      register: async (request) =>
        await answered(async (resolve, reject) => {
          const { templateName } = request;
          await client.subscribeToRegisterThingAccepted({ templateName }, AtLeastOnce, resolve);
          await client.subscribeToRegisterThingRejected({ templateName }, AtLeastOnce, reject);
          await client.publishRegisterThing(request, AtLeastOnce);
        }),
      close: async () => {
        await connection.disconnect();
      },
    };
  };

  const REQUEST_RESPONSE = { maxRequestResponseSubscriptions: 4, maxStreamingSubscriptions: 2, operationTimeoutInSeconds: 20 };
  const around = (client: iotidentity.IotIdentityClientv2, close: () => Promise<void>): Identity => ({
    byCsr: async (certificateSigningRequest) => await client.createCertificateFromCsr({ certificateSigningRequest }),
    withKeys: async () => await client.createKeysAndCertificate({}),
    register: async (request) => await client.registerThing(request),
    close: async () => {
      client.close();
      await close();
    },
  });

  const second311 = async (): Promise<Identity> => {
    const connection = new mqtt.MqttClient().new_connection(builder311().with_client_id('factory-311').build());
    await connection.connect();
    return around(iotidentity.IotIdentityClientv2.newFromMqtt311(connection, REQUEST_RESPONSE), async () => {
      await connection.disconnect();
    });
  };

  const second5 = async (): Promise<Identity> => {
    const configuration = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromPath(
      host(),
      factory.folder.file('claim.crt'),
      factory.folder.file('claim.key'),
    )
      .withCertificateAuthorityFromPath(undefined, factory.folder.file('ca.crt'))
      .withPort(port())
      .withConnectProperties({ clientId: 'factory-5', keepAliveIntervalSeconds: 60 })
      .build();
    const client = new mqtt5.Mqtt5Client(configuration);
    const connected = new Promise<void>((resolve, reject) => {
      client.once('connectionSuccess', () => resolve());
      client.once('connectionFailure', ({ error }: mqtt5.ConnectionFailureEvent) => reject(error));
    });
    client.start();
    await connected;
    return around(iotidentity.IotIdentityClientv2.newFromMqtt5(client, REQUEST_RESPONSE), async () => {
      const stopped = new Promise((resolve) => client.once('stopped', resolve));
      client.stop();
      await stopped;
      client.close();
    });
  };

  it.each([
    ['IotIdentityClient', classic, '30', '31'],
    ['IotIdentityClientv2 over MQTT 3.1.1', second311, '32', '33'],
    ['IotIdentityClientv2 over MQTT 5', second5, '34', '35'],
  ])('%s enrols by CSR and with a key that the server made', async (_, open, serial, other) => {
    io.enable_logging(io.LogLevel.NONE);
    const client = await open();
    const byCsr = await client.byCsr(factory.folder.request(`d${serial}`, '/CN=anything'));
    const register = async (answer: { certificateOwnershipToken?: string | undefined }, SerialNumber: string) =>
      await client.register({
        templateName: 'greenhouse',
        certificateOwnershipToken: answer.certificateOwnershipToken ?? '',
        parameters: { SerialNumber },
      });
    expect(await register(byCsr, serial)).toMatchObject({
      thingName: `gh-${serial}`,
      deviceConfiguration: { ...CONFIGURATION, me: serial },
    });
    factory.folder.write(`d${serial}.crt`, byCsr.certificatePem ?? '');
    const withKeys = await client.withKeys();
    expect(await register(withKeys, other)).toMatchObject({ thingName: `gh-${other}` });
    factory.folder.write(`d${other}.crt`, withKeys.certificatePem ?? '');
    factory.folder.write(`d${other}.key`, withKeys.privateKey ?? '');
    // The ownership token was good once, and a serial outside the manifest is nobody.
    await expect(register(withKeys, '36')).rejects.toBeDefined();
    await expect(register(await client.withKeys(), 'stolen')).rejects.toBeDefined();
    await client.close();
    expect(await factory.publish(`gh-${serial}`, `d${serial}`, 21.5)).toBe(21.5);
    expect(await factory.publish(`gh-${other}`, `d${other}`, 22)).toBe(22);
  });
});
