import { Button } from '@mantine/core';
import type { IssuedCertificate } from '../api/certificates.ts';
import { formatTime } from '../format/age.ts';
import { CopyButton } from '../ui/copy-button.tsx';
import dialog from '../ui/dialog.module.css';
import { Icon } from '../ui/icons.tsx';
import { saveText } from '../ui/save-file.ts';
import styles from './certificates.module.css';

/** The files of a new certificate, named as the command line names them. */
export function IssuedFiles({ issued, onClose }: { readonly issued: IssuedCertificate; readonly onClose: () => void }) {
  const { device, privateKeyPem } = issued;
  const files = [
    {
      name: `${device}.crt`,
      what: 'The certificate, with those between it and the root',
      text: issued.certificatePem + issued.chainPem,
    },
    ...(privateKeyPem === undefined
      ? []
      : [{ name: `${device}.key`, what: 'Its key: shown this once, kept nowhere', text: privateKeyPem }]),
    { name: 'ca.crt', what: 'The root that verifies it', text: issued.caPem },
  ];
  return (
    <div className={dialog.form}>
      <p>
        For <strong>{device}</strong>, good until {formatTime(issued.notAfterMs)}.
        {privateKeyPem !== undefined && ' Save the key now: it is not shown again.'}
      </p>
      <ul className={styles.files}>
        {files.map(({ name, what, text }) => (
          <li key={name}>
            <span>
              <code>{name}</code>
              <small>{what}</small>
            </span>
            <CopyButton text={text} label={`Copy ${name}`} />
            <Button
              variant="default"
              size="xs"
              leftSection={<Icon name="download" size={14} />}
              onClick={() => saveText(name, text, 'application/x-pem-file')}
            >
              Save
            </Button>
          </li>
        ))}
      </ul>
      <div className={dialog.actions}>
        <Button onClick={onClose}>Done</Button>
      </div>
    </div>
  );
}
