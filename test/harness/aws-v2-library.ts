import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { auth, io, iot, mqtt, mqtt5 } from 'aws-iot-device-sdk-v2';
import { type ClientLibrary, type ClientOptions, DOORS, type Heard, type MessageProperties, type Way } from './client-library.ts';

/** After this a client is let go, whatever it says. */
const LEAVE_MS = 5_000;
/** Longer than any test: a client whose connection was taken from it must not come back for it. */
const RECONNECT_SEC = 600;
const CONNECT_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_SEC = 60;
/** The AWS region and credentials of the signature in the WebSocket's URL. They are made up: no server but AWS reads it. */
const REGION = 'eu-central-1';
const ACCESS_KEY_ID = 'AKIDEXAMPLE';
const SECRET_KEY = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';

/**
 * The 3.1.1 client of the AWS IoT Device SDK v2 for JavaScript, as its builder makes it.
 *
 * The builder has TLS always; by the doors without, the connection is made of the builder's configuration with its TLS context taken away.
 */
export const AWS_V2_MQTT311: ClientLibrary = {
  name: 'AWS IoT Device SDK v2, mqtt',
  version: 4,
  doors: DOORS,
  maxQos: 2,
  open: async (way, options) => {
    const connection = new mqtt.MqttClient().new_connection(mqtt311Configuration(way, options));
    const heard: Heard[] = [];
    connection.on('message', (topic, payload, _dup, qos, retain) => heard.push({ topic, text: textOf(payload), qos, retain }));
    let interrupted = false;
    connection.on('interrupt', () => (interrupted = true));
    const sessionPresent = await connection.connect();
    return {
      sessionPresent,
      heard,
      subscribe: async (filter, qos) => (await connection.subscribe(filter, qos)).qos,
      publish: async (topic, text, { qos, retain }) => {
        await connection.publish(topic, text, qos, retain);
      },
      leave: async () => {
        const closed = once(connection, 'closed');
        const left = connection.disconnect();
        // One that waits to connect again says that it is closed only when that time has come.
        if (!interrupted) await Promise.all([left, closed]);
      },
    };
  },
};

function mqtt311Configuration(
  way: Way,
  { clientId, kept = false, will, account, alpn }: ClientOptions,
): mqtt.MqttConnectionConfig {
  const builder = mqtt311Builder(way)
    .with_endpoint(way.host)
    .with_port(way.port)
    .with_client_id(clientId)
    .with_clean_session(!kept)
    .with_keep_alive_seconds(KEEP_ALIVE_SEC)
    .with_reconnect_min_sec(RECONNECT_SEC)
    .with_reconnect_max_sec(RECONNECT_SEC)
    .with_socket_options(socketOptions());
  if (will !== undefined) builder.with_will({ ...will, payload: will.text });
  if (account !== undefined) builder.with_username(account.username).with_password(account.password);
  const configuration = builder.build();
  if (way.tls === undefined) delete configuration.tls_ctx;
  else if (alpn !== undefined) configuration.tls_ctx = new io.ClientTlsContext(tlsOptions(way, [alpn]));
  return configuration;
}

function mqtt311Builder(way: Way): iot.AwsIotMqttConnectionConfigBuilder {
  const { AwsIotMqttConnectionConfigBuilder: Builder } = iot;
  if (way.isWebSocket) {
    return Builder.new_with_websockets({
      region: REGION,
      credentials_provider: madeUpCredentials(),
      tls_ctx_options: tlsOptions(way, []),
    });
  }
  const certificate = way.tls?.certificate;
  const builder =
    certificate === undefined
      ? Builder.new_default_builder()
      : Builder.new_mtls_builder_from_path(certificate.certFile, certificate.keyFile);
  return way.tls === undefined ? builder : builder.with_certificate_authority_from_path(undefined, way.tls.caFile);
}

/**
 * Its 5.0 client, as its builders make it: with a device certificate, or with a "custom authorizer" (a name and a password, ALPN
 * `mqtt`), or over a signed WebSocket. It has no QoS 2.
 */
export const AWS_V2_MQTT5: ClientLibrary = {
  name: 'AWS IoT Device SDK v2, mqtt5',
  version: 5,
  doors: DOORS,
  maxQos: 1,
  open: async (way, options) => {
    const client = new mqtt5.Mqtt5Client(mqtt5Configuration(way, options));
    const heard: Heard[] = [];
    client.on('messageReceived', ({ message }) => heard.push(heardOf(message)));
    let connected = false;
    client.on('connectionSuccess', () => (connected = true));
    client.on('disconnection', () => (connected = false));
    const settled = new Promise<mqtt5.ConnackPacket>((resolve, reject) => {
      client.once('connectionSuccess', ({ connack }: mqtt5.ConnectionSuccessEvent) => resolve(connack));
      client.once('connectionFailure', ({ error, connack }: mqtt5.ConnectionFailureEvent) =>
        reject(new Error(`the connection failed (${connack?.reasonCode ?? 'no CONNACK'})`, { cause: error })),
      );
    });
    const leave = async (): Promise<void> => {
      // A client that is stopped while acknowledgements are waiting in it may never get to its DISCONNECT: they go before an answer.
      if (connected) await Promise.race([client.unsubscribe({ topicFilters: ['nothing'] }), pause(LEAVE_MS)]);
      const stopped = once(client, 'stopped');
      client.stop({ reasonCode: mqtt5.DisconnectReasonCode.NormalDisconnection });
      // It does not always say that it has stopped, when it was about to connect again.
      await Promise.race([stopped, pause(LEAVE_MS)]);
      client.close();
    };
    client.start();
    const { sessionPresent } = await settled.catch(async (error: unknown) => {
      await leave();
      throw error;
    });
    return {
      sessionPresent,
      heard,
      subscribe: async (topicFilter, qos) =>
        (await client.subscribe({ subscriptions: [{ topicFilter, qos }] })).reasonCodes[0] ?? 0x80,
      publish: async (topicName, payload, { qos, retain = false, properties }) => {
        const carried = properties === undefined ? {} : propertiesToSend(properties);
        await client.publish({ topicName, payload, qos, retain, ...carried });
      },
      leave,
    };
  },
};

function mqtt5Configuration(way: Way, { clientId, kept = false, will, account, alpn }: ClientOptions): mqtt5.Mqtt5ClientConfig {
  const configuration = mqtt5Builder(way)
    .withPort(way.port)
    .withConnectProperties({
      clientId,
      keepAliveIntervalSeconds: KEEP_ALIVE_SEC,
      ...(kept ? { sessionExpiryIntervalSeconds: 3_600 } : {}),
      ...(will === undefined ? {} : { will: { topicName: will.topic, payload: will.text, qos: will.qos, retain: will.retain } }),
    })
    .withSessionBehavior(kept ? mqtt5.ClientSessionBehavior.RejoinAlways : mqtt5.ClientSessionBehavior.Clean)
    .withMinReconnectDelayMs(RECONNECT_SEC * 1_000)
    .withMaxReconnectDelayMs(RECONNECT_SEC * 1_000)
    .withSocketOptions(socketOptions())
    .build();
  // The builder has a name and a password only together with an authorizer's.
  if (account !== undefined && configuration.connectProperties !== undefined)
    Object.assign(configuration.connectProperties, account);
  if (way.tls === undefined) delete configuration.tlsCtx;
  else if (alpn !== undefined || (way.isWebSocket && way.tls.certificate !== undefined))
    configuration.tlsCtx = new io.ClientTlsContext(tlsOptions(way, alpn === undefined ? [] : [alpn]));
  return configuration;
}

function mqtt5Builder(way: Way): iot.AwsIotMqtt5ClientConfigBuilder {
  const { AwsIotMqtt5ClientConfigBuilder: Builder } = iot;
  const certificate = way.tls?.certificate;
  const builder = way.isWebSocket
    ? Builder.newWebsocketMqttBuilderWithSigv4Auth(way.host, { region: REGION, credentialsProvider: madeUpCredentials() })
    : certificate === undefined
      ? Builder.newDirectMqttBuilderWithCustomAuth(way.host, {
          username: 'someone',
          authorizerName: 'selsyn',
          password: Buffer.from('x'),
        })
      : Builder.newDirectMqttBuilderWithMtlsFromPath(way.host, certificate.certFile, certificate.keyFile);
  return way.tls === undefined ? builder : builder.withCertificateAuthorityFromPath(undefined, way.tls.caFile);
}

function tlsOptions({ tls }: Way, alpn: string[]): io.TlsContextOptions {
  const certificate = tls?.certificate;
  const options =
    certificate === undefined
      ? new io.TlsContextOptions()
      : io.TlsContextOptions.create_client_with_mtls_from_path(certificate.certFile, certificate.keyFile);
  if (tls !== undefined) options.override_default_trust_store_from_path(undefined, tls.caFile);
  options.alpn_list = alpn;
  return options;
}

function socketOptions(): io.SocketOptions {
  return new io.SocketOptions(io.SocketType.STREAM, io.SocketDomain.IPV4, CONNECT_TIMEOUT_MS);
}

/** Given by hand, so that the SDK looks for none in the environment, in files or in the network. */
function madeUpCredentials(): auth.AwsCredentialsProvider {
  return auth.AwsCredentialsProvider.newStatic(ACCESS_KEY_ID, SECRET_KEY);
}

function propertiesToSend(properties: MessageProperties): Partial<mqtt5.PublishPacket> {
  const { contentType, responseTopic, correlationData, messageExpirySec, userProperties } = properties;
  return {
    ...(contentType === undefined ? {} : { contentType }),
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(correlationData === undefined ? {} : { correlationData: Buffer.from(correlationData) }),
    ...(messageExpirySec === undefined ? {} : { messageExpiryIntervalSeconds: messageExpirySec }),
    ...(userProperties === undefined ? {} : { userProperties: userProperties.map(([name, value]) => ({ name, value })) }),
  };
}

function heardOf(message: mqtt5.PublishPacket): Heard {
  const { contentType, responseTopic, correlationData, messageExpiryIntervalSeconds, userProperties = [] } = message;
  return {
    topic: message.topicName,
    text: textOf(message.payload),
    qos: message.qos,
    retain: message.retain ?? false,
    properties: {
      ...(contentType === undefined ? {} : { contentType }),
      ...(responseTopic === undefined ? {} : { responseTopic }),
      ...(correlationData === undefined ? {} : { correlationData: textOf(correlationData) }),
      ...(messageExpiryIntervalSeconds === undefined ? {} : { messageExpirySec: messageExpiryIntervalSeconds }),
      ...(userProperties.length === 0 ? {} : { userProperties: userProperties.map(({ name, value }) => [name, value] as const) }),
    },
  };
}

/** On Node the SDK hands out ArrayBuffers; for no bytes a detached one, of which nothing can be made. */
function textOf(bytes: unknown): string {
  return bytes instanceof ArrayBuffer && bytes.byteLength > 0 ? Buffer.from(bytes).toString() : '';
}
