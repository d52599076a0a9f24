import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from './programs.ts';

export interface MavenArtifact {
  readonly group: string;
  readonly artifact: string;
  readonly version: string;
  /** `jar-with-dependencies`, `exec`: then it stands for itself, and its dependencies are not asked for. */
  readonly classifier?: string;
}

export interface MavenProgram {
  readonly java: string;
  /** For `java -cp`: the artifacts and everything they need to run. */
  readonly classPath: string;
  readonly jars: readonly string[];
}

/** Maven downloads some hundred files at the first time. */
const RESOLVE_DEADLINE_MS = 600_000;
/** After which it is asked again: a download may fail by chance, or since another Maven stores the same file. */
const RETRY_PAUSES_MS = [2_000, 10_000, 30_000];

/**
 * Programs in Java that a test runs against, from Maven Central by way of `mvn` (as it is configured on this machine, with
 * its local repository); or undefined, with a printed reason, where there is no Java or Maven, or the artifacts cannot be had.
 * Under CI that is a failure. What was resolved once is found again without Maven.
 */
export function mavenProgram(artifacts: readonly MavenArtifact[]): MavenProgram | undefined {
  const java = findProgram('java');
  if (java === undefined) return undefined;
  const pom = pomOf(artifacts);
  const cache = join(homedir(), '.cache', 'selsyn-test-jars', createHash('sha256').update(pom).digest('hex').slice(0, 16));
  const known = readJars(cache);
  if (known !== undefined) return programOf(java, known);
  const mvn = findProgram('mvn');
  if (mvn === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'selsyn-maven-'));
  try {
    writeFileSync(join(folder, 'pom.xml'), pom);
    const list = join(folder, 'classpath.txt');
    let said = resolve(mvn, folder, false);
    for (const pauseMs of RETRY_PAUSES_MS) {
      if (said === undefined && existsSync(list)) break;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
      said = resolve(mvn, folder, true);
    }
    if (said !== undefined || !existsSync(list)) return missing(artifacts, said ?? '');
    const jars = readFileSync(list, 'utf8').trim().split(':');
    mkdirSync(join(cache, '..'), { recursive: true });
    // Another process may read it, or write its own.
    writeFileSync(`${cache}.${process.pid}`, jars.join('\n'));
    renameSync(`${cache}.${process.pid}`, cache);
    return programOf(java, jars);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns what Maven said where it failed. @param again also what it remembers not to have found */
function resolve(mvn: string, folder: string, again: boolean): string | undefined {
  const { status, stdout, stderr } = spawnSync(
    mvn,
    [
      '--batch-mode',
      '--quiet',
      ...(again ? ['--update-snapshots'] : []),
      'dependency:build-classpath',
      '-Dmdep.outputFile=classpath.txt',
      '-Dmdep.includeScope=runtime',
      '-Dmaven.wagon.http.retryHandler.count=5',
    ],
    { cwd: folder, encoding: 'utf8', timeout: RESOLVE_DEADLINE_MS },
  );
  return status === 0 ? undefined : `${stdout}${stderr}`;
}

function programOf(java: string, jars: readonly string[]): MavenProgram {
  return { java, jars, classPath: jars.join(':') };
}

function readJars(cache: string): string[] | undefined {
  if (!existsSync(cache)) return undefined;
  const jars = readFileSync(cache, 'utf8').split('\n');
  return jars.every((jar) => existsSync(jar)) ? jars : undefined;
}

function missing(artifacts: readonly MavenArtifact[], output: string): undefined {
  const names = artifacts.map(({ artifact, version }) => `${artifact} ${version}`).join(', ');
  const reason = output.split('\n').find((line) => line.includes('ERROR')) ?? 'mvn failed';
  if (process.env['CI'] !== undefined) throw new Error(`${names} could not be had from Maven: ${reason}`);
  process.stderr.write(`${names} could not be had from Maven, what needs it is skipped: ${reason}\n`);
  return undefined;
}

function pomOf(artifacts: readonly MavenArtifact[]): string {
  const dependencies = artifacts.map(
    ({ group, artifact, version, classifier }) => `
    <dependency>
      <groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>${
        classifier === undefined
          ? ''
          : `<classifier>${classifier}</classifier>
      <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>`
      }
    </dependency>`,
  );
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>selsyn</groupId><artifactId>test-programs</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>${dependencies.join('')}
  </dependencies>
</project>
`;
}
