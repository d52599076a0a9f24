import { io, iot, iotshadow, mqtt, mqtt5, type mqtt_request_response } from 'aws-iot-device-sdk-v2';
import type { AwsFleet } from './aws.fixture.ts';

io.enable_logging(io.LogLevel.NONE);

export const REQUEST_RESPONSE = {
  maxRequestResponseSubscriptions: 4,
  maxStreamingSubscriptions: 4,
  operationTimeoutInSeconds: 20,
};
const TIMEOUT_MS = 90_000;
const { AtLeastOnce } = mqtt.QoS;

/** MQTT 3.1.1 as the builder makes it: a session that lasts, unless asked otherwise. */
export async function connect311(
  fleet: AwsFleet,
  thing: string,
  { clientId = thing, clean = false }: { readonly clientId?: string; readonly clean?: boolean } = {},
): Promise<mqtt.MqttClientConnection> {
  const { folder, endpoint } = fleet;
  const configuration = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder_from_path(
    folder.file(`${thing}.crt`),
    folder.file(`${thing}.key`),
  )
    .with_certificate_authority_from_path(undefined, folder.file('ca.crt'))
    .with_endpoint(endpoint.host)
    .with_port(endpoint.mqttPort)
    .with_client_id(clientId)
    .with_clean_session(clean)
    .with_reconnect_min_sec(1)
    .with_reconnect_max_sec(1)
    .build();
  const connection = new mqtt.MqttClient().new_connection(configuration);
  connection.on('error', () => undefined);
  await connection.connect();
  return connection;
}

export async function connect5(fleet: AwsFleet, thing: string, clientId = thing): Promise<mqtt5.Mqtt5Client> {
  const { folder, endpoint } = fleet;
  const configuration = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromPath(
    endpoint.host,
    folder.file(`${thing}.crt`),
    folder.file(`${thing}.key`),
  )
    .withCertificateAuthorityFromPath(undefined, folder.file('ca.crt'))
    .withPort(endpoint.mqttPort)
    .withConnectProperties({ clientId, keepAliveIntervalSeconds: 60 })
    .withMinReconnectDelayMs(500)
    .withMaxReconnectDelayMs(500)
    .build();
  const client = new mqtt5.Mqtt5Client(configuration);
  const connected = new Promise<void>((resolve, reject) => {
    client.once('connectionSuccess', () => resolve());
    client.once('connectionFailure', ({ error }: mqtt5.ConnectionFailureEvent) => reject(error));
  });
  client.start();
  await connected;
  return client;
}

export async function leave5(client: mqtt5.Mqtt5Client): Promise<void> {
  const stopped = new Promise((resolve) => client.once('stopped', resolve));
  client.stop();
  await stopped;
  client.close();
}

/** A refusal, as every client of the SDK hands it out in its own way. */
export class Refused extends Error {
  readonly code: number | string | undefined;
  readonly more: object;
  constructor(rejection: { readonly code?: number | string | undefined; readonly message?: string | undefined }) {
    super(rejection.message ?? '');
    this.code = rejection.code;
    this.more = rejection;
  }
}

/** The refusal of the service where there is one, and else what went wrong. */
export function refusalOf(error: unknown): Error {
  const modeled = error instanceof Error && 'modeledError' in error ? (error.modeledError as object | undefined) : undefined;
  if (modeled !== undefined) return new Refused(modeled);
  return error instanceof Error ? error : new Error(JSON.stringify(error));
}

/** An answer by either of two subscriptions, as the older clients have it. */
export async function answered<T>(
  subscribe: (
    accepted: (error?: unknown, response?: T) => void,
    rejected: (error?: unknown, response?: { code?: number | string; message?: string }) => void,
  ) => Promise<unknown>,
  publish: () => Promise<unknown>,
): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    setTimeout(() => reject(new Error('no answer came')), TIMEOUT_MS).unref();
    subscribe(
      (error, response) => (response === undefined ? reject(refusalOf(error)) : resolve(response)),
      (error, response) => reject(response === undefined ? refusalOf(error) : new Refused(response)),
    )
      .then(publish)
      .catch(reject);
  });
}

/** Listens to a stream of the newer clients. Resolves once it is subscribed. */
export async function listenTo<T>(stream: mqtt_request_response.StreamingOperation<T>, heard: T[]): Promise<() => void> {
  stream.on('incomingPublish', ({ message }) => heard.push(message));
  const ready = new Promise<void>((resolve, reject) => {
    stream.on('subscriptionStatus', ({ type, error }) => (error === undefined && type === 0 ? resolve() : reject(error)));
  });
  stream.open();
  await ready;
  return () => stream.close();
}

export type Shadow = iotshadow.model.GetShadowResponse;
export type Delta = iotshadow.model.ShadowDeltaUpdatedEvent;
export type Documents = iotshadow.model.ShadowUpdatedEvent;

/** A device's shadows, through one of the clients of the SDK. `name` undefined: the classic one. */
export interface ShadowUser extends AsyncDisposable {
  get(name?: string): Promise<Shadow>;
  update(
    change: { state?: iotshadow.model.ShadowState; version?: number },
    name?: string,
  ): Promise<iotshadow.model.UpdateShadowResponse>;
  remove(name?: string): Promise<iotshadow.model.DeleteShadowResponse>;
  deltas(heard: Delta[], name?: string): Promise<void>;
  documents(heard: Documents[], name?: string): Promise<void>;
}

export async function classicShadows(fleet: AwsFleet, thingName: string): Promise<ShadowUser> {
  const connection = await connect311(fleet, thingName);
  const client = new iotshadow.IotShadowClient(connection);
  const token = (() => {
    let count = 0;
    return () => `classic-${++count}`;
  })();
  return {
    get: async (shadowName) =>
      await answered<Shadow>(
        async (accepted, rejected) => {
          if (shadowName === undefined) {
            await client.subscribeToGetShadowAccepted({ thingName }, AtLeastOnce, accepted);
            await client.subscribeToGetShadowRejected({ thingName }, AtLeastOnce, rejected);
          } else {
            await client.subscribeToGetNamedShadowAccepted({ thingName, shadowName }, AtLeastOnce, accepted);
            await client.subscribeToGetNamedShadowRejected({ thingName, shadowName }, AtLeastOnce, rejected);
          }
        },
        async () =>
          shadowName === undefined
            ? await client.publishGetShadow({ thingName, clientToken: token() }, AtLeastOnce)
            : await client.publishGetNamedShadow({ thingName, shadowName, clientToken: token() }, AtLeastOnce),
      ),
    update: async (change, shadowName) =>
      await answered<iotshadow.model.UpdateShadowResponse>(
        async (accepted, rejected) => {
          if (shadowName === undefined) {
            await client.subscribeToUpdateShadowAccepted({ thingName }, AtLeastOnce, accepted);
            await client.subscribeToUpdateShadowRejected({ thingName }, AtLeastOnce, rejected);
          } else {
            await client.subscribeToUpdateNamedShadowAccepted({ thingName, shadowName }, AtLeastOnce, accepted);
            await client.subscribeToUpdateNamedShadowRejected({ thingName, shadowName }, AtLeastOnce, rejected);
          }
        },
        async () =>
          shadowName === undefined
            ? await client.publishUpdateShadow({ thingName, clientToken: token(), ...change }, AtLeastOnce)
            : await client.publishUpdateNamedShadow({ thingName, shadowName, clientToken: token(), ...change }, AtLeastOnce),
      ),
    remove: async (shadowName) =>
      await answered<iotshadow.model.DeleteShadowResponse>(
        async (accepted, rejected) => {
          if (shadowName === undefined) {
            await client.subscribeToDeleteShadowAccepted({ thingName }, AtLeastOnce, accepted);
            await client.subscribeToDeleteShadowRejected({ thingName }, AtLeastOnce, rejected);
          } else {
            await client.subscribeToDeleteNamedShadowAccepted({ thingName, shadowName }, AtLeastOnce, accepted);
            await client.subscribeToDeleteNamedShadowRejected({ thingName, shadowName }, AtLeastOnce, rejected);
          }
        },
        async () =>
          shadowName === undefined
            ? await client.publishDeleteShadow({ thingName, clientToken: token() }, AtLeastOnce)
            : await client.publishDeleteNamedShadow({ thingName, shadowName, clientToken: token() }, AtLeastOnce),
      ),
    deltas: async (heard, shadowName) => {
      const take = (_error?: unknown, event?: Delta): void => void (event !== undefined && heard.push(event));
      if (shadowName === undefined) await client.subscribeToShadowDeltaUpdatedEvents({ thingName }, AtLeastOnce, take);
      else await client.subscribeToNamedShadowDeltaUpdatedEvents({ thingName, shadowName }, AtLeastOnce, take);
    },
    documents: async (heard, shadowName) => {
      const take = (_error?: unknown, event?: Documents): void => void (event !== undefined && heard.push(event));
      if (shadowName === undefined) await client.subscribeToShadowUpdatedEvents({ thingName }, AtLeastOnce, take);
      else await client.subscribeToNamedShadowUpdatedEvents({ thingName, shadowName }, AtLeastOnce, take);
    },
    [Symbol.asyncDispose]: async () => {
      await connection.disconnect();
    },
  };
}

export async function shadows311(fleet: AwsFleet, thingName: string): Promise<ShadowUser> {
  const connection = await connect311(fleet, thingName);
  return shadowsV2(iotshadow.IotShadowClientv2.newFromMqtt311(connection, REQUEST_RESPONSE), thingName, async () => {
    await connection.disconnect();
  });
}

export async function shadows5(fleet: AwsFleet, thingName: string): Promise<ShadowUser> {
  const client = await connect5(fleet, thingName);
  return shadowsV2(
    iotshadow.IotShadowClientv2.newFromMqtt5(client, REQUEST_RESPONSE),
    thingName,
    async () => await leave5(client),
  );
}

function shadowsV2(client: iotshadow.IotShadowClientv2, thingName: string, leave: () => Promise<void>): ShadowUser {
  const streams: (() => void)[] = [];
  const asked = async <T>(asking: Promise<T>): Promise<T> => {
    try {
      return await asking;
    } catch (error) {
      throw refusalOf(error);
    }
  };
  return {
    get: async (shadowName) =>
      await asked(shadowName === undefined ? client.getShadow({ thingName }) : client.getNamedShadow({ thingName, shadowName })),
    update: async (change, shadowName) =>
      await asked(
        shadowName === undefined
          ? client.updateShadow({ thingName, ...change })
          : client.updateNamedShadow({ thingName, shadowName, ...change }),
      ),
    remove: async (shadowName) =>
      await asked(
        shadowName === undefined ? client.deleteShadow({ thingName }) : client.deleteNamedShadow({ thingName, shadowName }),
      ),
    deltas: async (heard, shadowName) => {
      const stream =
        shadowName === undefined
          ? client.createShadowDeltaUpdatedStream({ thingName })
          : client.createNamedShadowDeltaUpdatedStream({ thingName, shadowName });
      streams.push(await listenTo(stream, heard));
    },
    documents: async (heard, shadowName) => {
      const stream =
        shadowName === undefined
          ? client.createShadowUpdatedStream({ thingName })
          : client.createNamedShadowUpdatedStream({ thingName, shadowName });
      streams.push(await listenTo(stream, heard));
    },
    [Symbol.asyncDispose]: async () => {
      for (const close of streams) close();
      client.close();
      await leave();
    },
  };
}
