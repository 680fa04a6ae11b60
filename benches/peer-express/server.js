// The minimal custom sandbox client as guides show it: one route, the host's bash, no confinement.
// It exists to be measured beside Hotcell: `node server.js ROOT`, token in TOKEN, any free port.
'use strict';

const { exec } = require('node:child_process');
const fs = require('node:fs/promises');
const path = require('node:path');
const { promisify } = require('node:util');
const express = require('express');

const execAsync = promisify(exec);
const root = path.resolve(process.argv[2] ?? '.');
const token = process.env.TOKEN;
if (!token) {
  console.error('peer-express: set TOKEN to the shared secret');
  process.exit(64);
}

const app = express();
app.use(express.json({ limit: '16mb' }));

app.use((request, response, next) => {
  if (request.headers.authorization !== `Bearer ${token}`) {
    return response.status(401).json({ error: 'Unauthorized' });
  }
  next();
});

app.post('/execute', async (request, response) => {
  const { tool, input, workingDir } = request.body;
  const folder = workingDir ?? root;
  try {
    switch (tool) {
      case 'bash': {
        const { stdout, stderr } = await execAsync(input.command, {
          shell: '/bin/bash', // exec runs `/bin/bash -c COMMAND`
          cwd: folder,
          env: { ...process.env, ...input.env },
          timeout: 120_000,
        });
        return response.json({ output: stdout, error: stderr, exitCode: 0 });
      }
      case 'read_file': {
        const text = await fs.readFile(path.resolve(folder, input.path), 'utf8');
        return response.json({ output: text });
      }
      case 'write_file': {
        await fs.writeFile(path.resolve(folder, input.path), input.content);
        return response.json({ output: 'File written successfully' });
      }
      default:
        return response.status(400).json({ error: `Unknown tool: ${tool}` });
    }
  } catch (error) {
    return response.status(500).json({ error: error.message, exitCode: 1 });
  }
});

const server = app.listen(0, '127.0.0.1', () => {
  console.error(`ready on 127.0.0.1:${server.address().port}`);
});
