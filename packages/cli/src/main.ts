import { createRequire } from 'node:module';
import { Command } from 'commander';
import { CliError } from './cli-error.ts';
import { endWithReader } from './closed-reader.ts';
import { addArchiveCommands } from './commands/archive.ts';
import { addAuditCommand } from './commands/audit.ts';
import { addCardinalityCommand } from './commands/cardinality.ts';
import { addCaCommands } from './commands/ca.ts';
import { addCertCommands } from './commands/cert.ts';
import { addCheckCommands } from './commands/checks.ts';
import { addClientCommands } from './commands/client.ts';
import { addCommandCommands } from './commands/device-command.ts';
import { addDecoderCommands } from './commands/decoder.ts';
import { addDemoCommand } from './commands/demo.ts';
import { addDeviceCommands } from './commands/device.ts';
import { addHoldCommands } from './commands/hold.ts';
import { addJobCommands } from './commands/job.ts';
import { addAccessKeyCommands } from './commands/access-key.ts';
import { addKeyCommands } from './commands/key.ts';
import { addLoginCommands } from './commands/login.ts';
import { addPresenceCommand } from './commands/presence.ts';
import { addPkiCommands } from './commands/pki.ts';
import { addMergePolicyCommands } from './commands/merge-policy.ts';
import { addPolicyCommands } from './commands/policy.ts';
import { addForwarderCommands } from './commands/forwarder.ts';
import { addEraseCommands } from './commands/erase.ts';
import { addFleetCommands } from './commands/fleet.ts';
import { addGroupCommands } from './commands/group.ts';
import { addTypeCommands } from './commands/type.ts';
import { addProvisioningCommands } from './commands/provisioning.ts';
import { addQualityCommand } from './commands/quality.ts';
import { addQueryCommand } from './commands/query.ts';
import { addRetentionCommands } from './commands/retention.ts';
import { addRoleCommands } from './commands/role.ts';
import { addSearchFieldCommands } from './commands/search-field.ts';
import { addSparkplugCommands } from './commands/sparkplug.ts';
import { addSecretCommands } from './commands/secret.ts';
import { addShadowCommands } from './commands/shadow.ts';
import { addShadowFleetCommands } from './commands/shadow-fleet.ts';
import { addSqlCommand } from './commands/sql.ts';
import { addStorageCommand } from './commands/storage.ts';
import { addTelemetryCommands } from './commands/telemetry.ts';
import { addTopCommand } from './commands/top.ts';
import { addTraceCommand } from './commands/trace.ts';
import { addUpCommand } from './commands/up.ts';
import { addUserCommands } from './commands/user.ts';
import { aboutTyped } from './unknown-subcommand.ts';

endWithReader(process.stdout, process.exit);

const { version } = createRequire(import.meta.url)('../package.json') as { version: string };

const program = new Command('selsyn')
  .description('Selsyn: a device cloud that you own.')
  .version(version)
  .option('--data <folder>', 'the data folder (default: SELSYN_DATA, or data)')
  .option('--url <url>', 'the server (default: SELSYN_URL, or the one that runs on the data folder)')
  .option('--key <key>', 'an API key (default: SELSYN_KEY, or the admin.key of the data folder)')
  .configureHelp({ showGlobalOptions: true })
  .configureOutput({ outputError: (text, write) => write(aboutTyped(text, process.argv.slice(2))) })
  .showHelpAfterError('(selsyn --help lists the commands)');
addUpCommand(program);
addDemoCommand(program);
addDeviceCommands(program);
addGroupCommands(program);
addTypeCommands(program);
addDecoderCommands(program);
addQualityCommand(program);
addCommandCommands(program);
addFleetCommands(program);
addForwarderCommands(program);
addJobCommands(program);
addQueryCommand(program);
addTelemetryCommands(program);
addSqlCommand(program);
addStorageCommand(program);
addRetentionCommands(program);
addHoldCommands(program);
addArchiveCommands(program);
addEraseCommands(program);
addTopCommand(program);
addSecretCommands(program);
addClientCommands(program);
addTraceCommand(program);
addCertCommands(program);
addCaCommands(program);
addPkiCommands(program);
addPolicyCommands(program);
addProvisioningCommands(program);
addCheckCommands(program);
addPresenceCommand(program);
addCardinalityCommand(program);
addSparkplugCommands(program);
addUserCommands(program);
addRoleCommands(program);
addKeyCommands(program);
addAccessKeyCommands(program);
addLoginCommands(program);
addAuditCommand(program);
addShadowCommands(program);
addShadowFleetCommands(program);
addSearchFieldCommands(program);
addMergePolicyCommands(program);

try {
  await program.parseAsync();
} catch (error) {
  const foreseen = error instanceof CliError || (error instanceof Error && error.name === 'SelsynError');
  process.stderr.write(`selsyn: ${foreseen ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
}
