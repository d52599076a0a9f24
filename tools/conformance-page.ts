import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Binds, StandardVersion } from '../test/conformance/statements/statement.ts';
import { type Coverage, type CoveringTest, readConformance } from './conformance-coverage.ts';

const PATH = 'docs/reference/mqtt-conformance.md';

/** docs/reference/mqtt-conformance.md, made from the statements and the names of the tests. `node tools/conformance-page.ts` writes it. */
export function conformancePage(coverage: readonly Coverage[] = readConformance().coverage): string {
  return `# MQTT conformance

Made from \`test/conformance/statements\` and the names of the tests by \`node tools/conformance-page.ts\`.

Every normative statement of [MQTT 5.0](https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html) and
[MQTT 3.1.1](https://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html) (appendix B of each), in a few words of our own, with
the tests that name it. What binds the server has a test, or the reason why none can see it. What binds only clients is listed
for completeness; a test there shows what the server does where a client breaks it.

A test names what it proves: \`[MQTT-3.1.2-3]\` is the statement of 5.0, and that of 3.1.1 too where it asks for the same;
\`[MQTT-3.1.2-3 v3.1.1]\` and \`[MQTT-3.1.2-3 v5.0]\` mean one version.

${summary(coverage)}
${(['5.0', '3.1.1'] as const).map((version) => versionPart(version, coverage)).join('\n')}`;
}

function summary(coverage: readonly Coverage[]): string {
  const rows = (['5.0', '3.1.1'] as const).map((version) => {
    const all = coverage.filter(({ statement }) => statement.version === version);
    const server = all.filter(({ statement }) => statement.binds !== 'client');
    const tested = server.filter(({ tests }) => tests.length > 0).length;
    return `| ${version} | ${all.length} | ${server.length} | ${tested} | ${server.filter(({ reason }) => reason !== undefined).length} |`;
  });
  return `| version | statements | bind the server | tested | not observable |
|---|---|---|---|---|
${rows.join('\n')}
`;
}

function versionPart(version: StandardVersion, coverage: readonly Coverage[]): string {
  const sections = Map.groupBy(
    coverage.filter(({ statement }) => statement.version === version),
    ({ statement }) => sectionOf(statement.id),
  );
  const parts = [...sections].map(
    ([section, rows]) => `### ${section}

| statement | binds | asks for | covered by |
|---|---|---|---|
${rows.map(row).join('\n')}
`,
  );
  return `## MQTT ${version}

${parts.join('\n')}`;
}

function row({ statement, tests, reason }: Coverage): string {
  const { id, binds, says } = statement;
  return `| MQTT-${id} | ${BINDS[binds]} | ${cell(says)} | ${coveredBy(binds, tests, reason)} |`;
}

function coveredBy(binds: Binds, tests: readonly CoveringTest[], reason: string | undefined): string {
  if (tests.length > 0) return [...Map.groupBy(tests, ({ file }) => file)].map(fileCell).join('<br>');
  if (reason !== undefined) return `*${cell(reason)}*`;
  return binds === 'client' ? '*Binds only the client.*' : '**nothing**';
}

function fileCell([file, tests]: readonly [string, readonly CoveringTest[]]): string {
  const names = [...new Set(tests.map(({ name }) => cell(name)))];
  return `[${file.slice(file.lastIndexOf('/') + 1)}](../../${file}): ${names.join('; ')}`;
}

function cell(text: string): string {
  return text.replaceAll(/[|\\`*_<>[\]]/g, String.raw`\$&`);
}

const BINDS: Readonly<Record<Binds, string>> = { server: 'server', client: 'client', both: 'both' };

const CHAPTERS: Readonly<Record<string, string>> = {
  1: 'Data representation',
  2: 'Control packet format',
  4: 'Operational behaviour',
  6: 'WebSocket',
  7: 'Conformance',
};
const PACKETS: readonly string[] =
  'CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK PINGREQ PINGRESP DISCONNECT AUTH'.split(
    ' ',
  );

function sectionOf(id: string): string {
  const [chapter = '', section = ''] = id.split('.');
  return chapter === '3' ? `3.${section} ${PACKETS[Number(section) - 1]}` : `${chapter} ${CHAPTERS[chapter]}`;
}

if (process.argv[1] === import.meta.filename) {
  writeFileSync(join(import.meta.dirname, '..', PATH), conformancePage());
}
