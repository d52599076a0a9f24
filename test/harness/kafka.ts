import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Admin, Consumer, stringDeserializers } from '@platformatic/kafka';
import { reservePorts } from '@selsyn/platform/app/listening.ts';
import { CertificateFolder } from './certificate-folder.ts';
import { type MavenProgram, mavenProgram } from './maven-jars.ts';

const KAFKA = { group: 'org.apache.kafka', artifact: 'kafka_2.13', version: '4.0.0' };
const CLUSTER = '4L6g3nShT-eMCtK--X86sw';
const START_MS = 120_000;

export interface KafkaMessage {
  readonly key: string;
  readonly value: string;
  readonly partition: number;
  readonly headers: Readonly<Record<string, string>>;
}

const SASL = 'org.apache.kafka.common.security';

/** Who may come in at `securedBroker`, by each mechanism of SASL, with a certificate of its authority. */
export const KAFKA_USER = { username: 'selsyn', password: 'pass=wörd/5' } as const;

/** Apache Kafka, one broker that is its own controller, in a process of its own; one of its doors wants TLS and SASL. */
export class Kafka implements AsyncDisposable {
  readonly port: number;
  readonly #securedPort: number;
  readonly #certificates: CertificateFolder;
  readonly #program: MavenProgram;
  readonly #folder: string;
  #child: ChildProcess | undefined;

  private constructor(options: {
    readonly program: MavenProgram;
    readonly folder: string;
    readonly certificates: CertificateFolder;
    readonly port: number;
    readonly securedPort: number;
  }) {
    this.#program = options.program;
    this.#folder = options.folder;
    this.#certificates = options.certificates;
    this.port = options.port;
    this.#securedPort = options.securedPort;
  }

  /** Undefined, with a printed reason, where it cannot be had. */
  static async start(): Promise<Kafka | undefined> {
    const program = mavenProgram([KAFKA]);
    if (program === undefined) return undefined;
    const folder = mkdtempSync(join(tmpdir(), 'selsyn-kafka-'));
    const free = { host: '127.0.0.1', port: 0, portKey: '' };
    const { broker, secured, controller } = await reservePorts({ broker: free, secured: free, controller: free });
    const certificates = certificatesOf();
    const settings = {
      'process.roles': 'broker,controller',
      'node.id': '1',
      'controller.quorum.voters': `1@127.0.0.1:${controller}`,
      listeners: `PLAINTEXT://127.0.0.1:${broker},SECURED://127.0.0.1:${secured},CONTROLLER://127.0.0.1:${controller}`,
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${broker},SECURED://127.0.0.1:${secured}`,
      'controller.listener.names': 'CONTROLLER',
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL',
      ...secureSettings(certificates),
      'log.dirs': join(folder, 'data'),
      'offsets.topic.replication.factor': '1',
      'offsets.topic.num.partitions': '1',
      'transaction.state.log.replication.factor': '1',
      'transaction.state.log.min.isr': '1',
      'transaction.state.log.num.partitions': '1',
      'share.coordinator.state.topic.replication.factor': '1',
      'share.coordinator.state.topic.min.isr': '1',
      'group.initial.rebalance.delay.ms': '0',
      'auto.create.topics.enable': 'false',
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    writeFileSync(join(folder, 'server.properties'), `${lines.join('\n')}\n`);
    const kafka = new Kafka({ program, folder, certificates, port: broker, securedPort: secured });
    try {
      kafka.#format();
      await kafka.restart();
      return kafka;
    } catch (error) {
      await kafka[Symbol.asyncDispose]();
      throw error;
    }
  }

  get broker(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Speaks TLS, and takes who says that he is KAFKA_USER. */
  get securedBroker(): string {
    return `127.0.0.1:${this.#securedPort}`;
  }

  /** PEM: what certifies `securedBroker`, and a certificate with which it lets somebody in. */
  get certificates(): { readonly authority: string; readonly client: string; readonly clientKey: string } {
    const [authority, client, clientKey] = ['authority.crt', 'client.crt', 'client.key'].map((name) =>
      this.#certificates.read(name),
    );
    return { authority: authority!, client: client!, clientKey: clientKey! };
  }

  /** Starts it on its data and waits until it answers. */
  async restart(): Promise<void> {
    const { java, classPath } = this.#program;
    const options = ['-Xmx320m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
    this.#child = spawn(java, [...options, '-cp', classPath, 'kafka.Kafka', join(this.#folder, 'server.properties')], {
      stdio: 'ignore',
      cwd: this.#folder,
    });
    for (const end = performance.now() + START_MS; ;) {
      if (await this.#answers()) return;
      if (this.#child.exitCode !== null || performance.now() > end) throw new Error('Kafka did not start');
      await pause(100);
    }
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  async createTopic(topic: string, partitions: number): Promise<void> {
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: [this.broker] });
    await admin.createTopics({ topics: [topic], partitions, replicas: 1 });
    await admin.close();
  }

  /** All messages of a topic from its beginning on, until `enough` says so. */
  async consume(
    topic: string,
    enough: (messages: readonly KafkaMessage[]) => boolean,
    deadlineMs = 30_000,
  ): Promise<KafkaMessage[]> {
    const consumer = new Consumer({
      clientId: 'test',
      groupId: `test-${process.pid}-${performance.now()}`,
      bootstrapBrokers: [this.broker],
      deserializers: stringDeserializers,
      maxWaitTime: 100,
    });
    const found: KafkaMessage[] = [];
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: false });
    const end = setTimeout(() => stream.destroy(new Error(`only ${found.length} messages came`)), deadlineMs);
    try {
      for await (const { key, value, partition, headers } of stream) {
        found.push({ key, value, partition, headers: Object.fromEntries(headers) });
        if (enough(found)) break;
      }
    } finally {
      clearTimeout(end);
      await consumer.close(true);
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#certificates[Symbol.dispose]();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #format(): void {
    const { java, classPath } = this.#program;
    const storage = ['kafka.tools.StorageTool', 'format', '-t', CLUSTER, '-c', join(this.#folder, 'server.properties')];
    const { username, password } = KAFKA_USER;
    const users = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name="${username}",password="${password}"]`,
    ]);
    const formatted = spawnSync(java, ['-Xmx128m', '-cp', classPath, ...storage, ...users], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    });
    if (formatted.status !== 0) throw new Error(`Kafka's storage could not be formatted: ${formatted.stdout}${formatted.stderr}`);
  }

  async #answers(): Promise<boolean> {
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: [this.broker], retries: 0, connectTimeout: 1_000 });
    try {
      await admin.listTopics();
      return true;
    } catch {
      return false;
    } finally {
      await admin.close().catch(() => undefined);
    }
  }
}

/** An authority, and a certificate of the broker's address. */
function certificatesOf(): CertificateFolder {
  const folder = new CertificateFolder();
  folder.authority('authority', '/CN=Kafka');
  folder.request('broker', '/CN=broker');
  folder.sign('broker', 'authority', 'extendedKeyUsage=serverAuth\nsubjectAltName=IP:127.0.0.1');
  folder.request('client', '/CN=selsyn');
  folder.sign('client', 'authority');
  folder.write('keystore.pem', `${folder.read('broker.key')}${folder.read('broker.crt')}${folder.read('authority.crt')}`);
  return folder;
}

function secureSettings(certificates: CertificateFolder): Readonly<Record<string, string>> {
  const { username, password } = KAFKA_USER;
  // A file of properties is Latin-1.
  const escaped = password.replaceAll(/[^\x20-\x7e]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const of = (name: string): string => `listener.name.secured.${name}`;
  return {
    [of('ssl.keystore.type')]: 'PEM',
    [of('ssl.keystore.location')]: certificates.file('keystore.pem'),
    [of('ssl.truststore.type')]: 'PEM',
    [of('ssl.truststore.location')]: certificates.file('authority.crt'),
    [of('ssl.client.auth')]: 'required',
    [of('sasl.enabled.mechanisms')]: 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    [of('plain.sasl.jaas.config')]: `${SASL}.plain.PlainLoginModule required user_${username}="${escaped}";`,
    [of('scram-sha-256.sasl.jaas.config')]: `${SASL}.scram.ScramLoginModule required;`,
    [of('scram-sha-512.sasl.jaas.config')]: `${SASL}.scram.ScramLoginModule required;`,
  };
}
