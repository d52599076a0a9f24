/** HTTP POST of JSON, many records at once. Secrets: `signingKey` (HMAC-SHA256), `authorization` (that header). */
export interface WebhookSettings {
  readonly kind: 'webhook';
  readonly url: string;
  /** Sent with every request; not for secrets. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly tls?: TlsSettings | undefined;
}

/** A topic of Kafka; the key of a record is the id of its device. Secrets: `password`, `clientKey` (PEM). */
export interface KafkaSettings {
  readonly kind: 'kafka';
  /** `host:port`, some of the cluster. */
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly compression?: 'none' | 'gzip' | 'snappy' | 'zstd' | undefined;
  /** Whether the brokers are spoken to by TLS; default false. */
  readonly secure?: boolean | undefined;
  readonly tls?: TlsSettings | undefined;
  readonly sasl?: { readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'; readonly username: string } | undefined;
}

/** Another MQTT broker. Secrets: `password`, `clientKey` (PEM). */
export interface MqttSettings {
  readonly kind: 'mqtt';
  /** `mqtt://host:1883`, `mqtts://host:8883`. */
  readonly url: string;
  /** `${topic}`: that of the record; `${device}`: its device. Default `${topic}`. */
  readonly topic?: string | undefined;
  readonly clientId?: string | undefined;
  readonly username?: string | undefined;
  /** Default 5. */
  readonly version?: 4 | 5 | undefined;
  readonly tls?: TlsSettings | undefined;
}

/** Line protocol. Secrets: `token` (version 2), `password` (version 1). */
export interface InfluxdbSettings {
  readonly kind: 'influxdb';
  readonly url: string;
  /** Where it goes: a database of version 1, or a bucket of version 2. */
  readonly database?: string | undefined;
  readonly retentionPolicy?: string | undefined;
  readonly username?: string | undefined;
  readonly org?: string | undefined;
  readonly bucket?: string | undefined;
  /** Default `telemetry`. */
  readonly measurement?: string | undefined;
  readonly tls?: TlsSettings | undefined;
}

/** Of TLS where it is spoken: `https:`, `mqtts:`, `secure`. */
export interface TlsSettings {
  /** PEM of the authorities that the target may be certified by; absent: those that Node knows. */
  readonly ca?: string | undefined;
  /** PEM of a certificate of ours; its key is the secret `clientKey`. */
  readonly certificate?: string | undefined;
}

export type TargetSettings = WebhookSettings | KafkaSettings | MqttSettings | InfluxdbSettings;
export type TargetKind = TargetSettings['kind'];

/** The secrets that a kind of target may have. */
export const TARGET_SECRETS = {
  webhook: ['signingKey', 'authorization', 'clientKey'],
  kafka: ['password', 'clientKey'],
  mqtt: ['password', 'clientKey'],
  influxdb: ['token', 'password', 'clientKey'],
} as const satisfies Readonly<Record<TargetKind, readonly string[]>>;

export type SecretName = (typeof TARGET_SECRETS)[TargetKind][number];
export type TargetSecrets = { readonly [N in SecretName]?: string | undefined };
