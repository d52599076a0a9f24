import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { reservePorts } from '@selsyn/platform/app/listening.ts';
import { mavenProgram, type MavenArtifact, type MavenProgram } from './maven-jars.ts';

/** Which program; both are of Maven Central, and store what they are given in files. */
export type S3Kind = 's3mock' | 's3proxy';

/** A Java program starts on a busy machine. */
const START_MS = 90_000;
export const S3_BUCKET = 'selsyn-archive';
export const S3_CREDENTIALS = { accessKeyId: 'an-id', secretAccessKey: 'a-secret-that-nobody-guesses' };
/** s3mock takes this one for server-side encryption. */
export const S3_KMS_KEY = 'a-key-of-kms';

const ARTIFACTS: Readonly<Record<S3Kind, readonly MavenArtifact[]>> = {
  s3mock: [
    { group: 'com.adobe.testing', artifact: 's3mock', version: '4.11.0' },
    // Of the versions that it asks for Maven would choose one that its logging cannot use.
    { group: 'org.slf4j', artifact: 'slf4j-api', version: '2.0.17' },
  ],
  s3proxy: [{ group: 'org.gaul', artifact: 's3proxy', version: '2.7.0' }],
};

/** A real S3 server, one process, on a port of the loopback interface; it can be killed and started again where it was. */
export class S3Server implements AsyncDisposable {
  readonly kind: S3Kind;
  readonly port: number;
  readonly #folder: string;
  readonly #program: MavenProgram;
  #child: ChildProcess | undefined;

  private constructor(kind: S3Kind, program: MavenProgram, port: number, folder: string) {
    this.kind = kind;
    this.#program = program;
    this.port = port;
    this.#folder = folder;
  }

  /** Undefined, with a printed reason, where there is no Java or Maven. */
  static async start(kind: S3Kind): Promise<S3Server | undefined> {
    const program = mavenProgram(ARTIFACTS[kind]);
    if (program === undefined) return undefined;
    const { free } = await reservePorts({ free: { host: '127.0.0.1', port: 0, portKey: '' } });
    const folder = mkdtempSync(join(tmpdir(), 'selsyn-s3-'));
    // s3proxy's buckets are the folders of its root.
    mkdirSync(join(folder, 'store', ...(kind === 's3proxy' ? [S3_BUCKET] : [])), { recursive: true });
    const server = new S3Server(kind, program, free, folder);
    try {
      await server.startAgain();
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async startAgain(): Promise<void> {
    const args = this.kind === 's3mock' ? this.#s3mock() : this.#s3proxy();
    const output = join(this.#folder, 'output');
    const child = spawn(
      '/bin/sh',
      [
        '-c',
        `exec "$@" > "$OUTPUT" 2>&1`,
        'sh',
        this.#program.java,
        '-Xmx320m',
        '-XX:TieredStopAtLevel=1',
        '-XX:+UseSerialGC',
        ...args,
      ],
      { stdio: 'ignore', cwd: this.#folder, env: { ...process.env, OUTPUT: output } },
    );
    this.#child = child;
    // Also where a test file ends before it could dispose of it.
    const end = (): void => void child.kill('SIGKILL');
    process.once('exit', end);
    child.once('exit', () => process.off('exit', end));
    const untilMs = Date.now() + START_MS;
    while (Date.now() < untilMs && child.exitCode === null) {
      if (await answers(`${this.endpoint}/${S3_BUCKET}`)) return;
      await pause(100);
    }
    const said = readFileSync(output, 'utf8').slice(-2_000);
    await this.kill();
    throw new Error(`${this.kind} did not start: ${said}`);
  }

  /** With no chance to tidy up. What it was storing may be there in part. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #s3mock(): string[] {
    const settings = {
      'http-port': this.port,
      'store.root': join(this.#folder, 'store'),
      'store.retain-files-on-exit': true,
      'store.initial-buckets': S3_BUCKET,
      'store.valid-kms-keys': `arn:aws:kms:us-east-1:1234567890:key/${S3_KMS_KEY}`,
    };
    return [
      '-Dserver.port=0',
      ...Object.entries(settings).map(([name, value]) => `-Dcom.adobe.testing.s3mock.${name}=${value}`),
      '-cp',
      this.#program.classPath,
      'com.adobe.testing.s3mock.S3MockApplication',
    ];
  }

  #s3proxy(): string[] {
    const properties = join(this.#folder, 's3proxy.properties');
    const lines = [
      `s3proxy.endpoint=${this.endpoint}`,
      's3proxy.authorization=aws-v2-or-v4',
      `s3proxy.identity=${S3_CREDENTIALS.accessKeyId}`,
      `s3proxy.credential=${S3_CREDENTIALS.secretAccessKey}`,
      'jclouds.provider=filesystem-nio2',
      'jclouds.identity=unused',
      'jclouds.credential=unused',
      `jclouds.filesystem.basedir=${join(this.#folder, 'store')}`,
    ];
    writeFileSync(properties, `${lines.join('\n')}\n`);
    return ['-cp', this.#program.classPath, 'org.gaul.s3proxy.Main', '--properties', properties];
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    // Any answer: without a signature it may be a refusal.
    await (await fetch(url, { signal: AbortSignal.timeout(2_000) })).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
