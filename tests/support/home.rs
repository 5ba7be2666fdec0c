//! A small synthetic OpenClaw home in the layout of release 2026.9.6.
//!
//! Two agents: `main`, whose workspace lies inside the state directory, and `research`, whose
//! workspace is `~/projects/research-ws` and is named so in a JSON5 configuration with comments.
//! Everything is fixed: no clock, no randomness (SQLite salts its logs itself, which shows in no
//! row). Every secret is marked FAKE. What git can hold is made here and committed as
//! `fixtures/home-2026.9`; the rest is added by [`super::rich`].

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::databases;

/// The home directory that the databases speak of.
pub const HOME: &str = "/home/sam";
/// The state directory that the databases speak of.
pub const STATE: &str = "/home/sam/.openclaw";
/// The main agent's workspace that the databases speak of.
pub const WORKSPACE: &str = "/home/sam/.openclaw/workspace";
/// The research agent's workspace that the databases speak of.
pub const RESEARCH_WORKSPACE: &str = "/home/sam/projects/research-ws";
/// 2026-09-30T08:00:00Z in milliseconds.
pub const SOME_TIME: i64 = 1_790_755_200_000;

/// Writes the home into `directory`, which may exist.
pub fn write_home(directory: &Path) {
    for (name, content) in FILES {
        write(directory, name, content.as_bytes());
    }
    let transcript = b"{\"type\":\"session\",\"version\":4,\"id\":\"session-cold\"}\n{\"type\":\"message\",\"id\":\"event-9\",\"message\":{\"role\":\"user\",\"content\":\"long ago\"}}\n";
    let name = format!(
        ".openclaw/agents/main/sessions/cold/{}.jsonl.zst",
        databases::sha256(std::str::from_utf8(transcript).unwrap())
    );
    write(directory, &name, &stored_zstd(transcript));
    write(directory, PHOTO, &noise(6000));
    for (name, target) in LINKS {
        let link = directory.join(name);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(target, link).unwrap();
    }
    databases::write(&directory.join(".openclaw"));
}

/// Bytes that do not compress, always the same.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2026_0930_u64;
    std::iter::repeat_with(|| {
        // Knuth's MMIX generator; the upper bits are the good ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    })
    .take(length)
    .collect()
}

fn write(directory: &Path, name: &str, content: &[u8]) {
    let path = directory.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A zstd frame with one raw block, which no release of zstd would write in another way.
fn stored_zstd(content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    // Single segment with one byte of content size; last block, raw, 21 bits of length.
    let block = 1 | u32::from(length) << 3;
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x20, length];
    frame.extend(&block.to_le_bytes()[..3]);
    frame.extend(content);
    frame
}

const PHOTO: &str = ".openclaw/media/inbound/Foto Größe 1.jpg";

const LINKS: [(&str, &str); 6] = [
    // Volatile: left by a browser that was killed.
    (".openclaw/browser/openclaw/user-data/SingletonLock", "samhost-12345"),
    (
        ".openclaw/browser/openclaw/user-data/SingletonSocket",
        "/nonexistent/org.chromium.FAKE/SingletonSocket",
    ),
    // Regenerable: points into the npm installation.
    (".openclaw/plugin-skills/browser", "/usr/lib/node_modules/openclaw/dist/skills/browser"),
    (".openclaw/workspace/today.md", "memory/2026-09-30.md"),
    (".openclaw/workspace/gone", "no such file"),
    ("projects/research-ws/latest", "data"),
];

const FILES: [(&str, &str); 36] = [
    (".openclaw/openclaw.json", CONFIG),
    (".openclaw/openclaw.json.bak", CONFIG_BEFORE),
    (".openclaw/include/channels.json5", CHANNELS),
    (".openclaw/.env", "WEATHER_KEY=FAKE-weather-key\n"),
    (".openclaw/config-journal-fingerprint.key", "FAKE-fingerprint-key-of-32-bytes"),
    (
        ".openclaw/credentials/whatsapp/default/creds.json",
        "{\"noiseKey\":\"FAKE-noise-key\",\"registrationId\":4711}\n",
    ),
    (
        ".openclaw/credentials/whatsapp/default/creds.json.bak",
        "{\"noiseKey\":\"FAKE-noise-key\",\"registrationId\":4710}\n",
    ),
    (".openclaw/credentials/telegram-allowFrom.json", "{\"version\":1,\"allowFrom\":[\"FAKE-100200300\"]}\n"),
    (".openclaw/media/outbound/Bericht für Sam.txt", "Grüße\n"),
    // Regenerable.
    (".openclaw/media/playback-transcode/1.opus", "FAKE opus\n"),
    (".openclaw/cache/control-ui-assets/index.js", "// regenerable\n"),
    (".openclaw/cache/control-ui-assets/leer.css", ""),
    (".openclaw/logs/gateway.log", "2026-09-30 08:00:00 started\n"),
    // Lock databases: never to be opened.
    (".openclaw/tmp/openclaw-1000/gateway.state.lock.sqlite", ""),
    (".openclaw/tmp/agent-cli/openclaw", "#!/bin/sh\nexit 0\n"),
    (".openclaw/agents/main/agent/openclaw-agent.sqlite.generation-lock.sqlite", ""),
    (".openclaw/agents/main/agent/models.json", "{\"models\":[]}\n"),
    (".openclaw/browser/openclaw/user-data/Default/Preferences", "{\"FAKE\":true}\n"),
    (".openclaw/extensions/demo-plug/openclaw.plugin.json", "{\"id\":\"demo-plug\",\"version\":\"1.0.0\"}\n"),
    (".openclaw/extensions/demo-plug/index.js", "export default {};\n"),
    (
        ".openclaw/extensions/demo-plug/package.json",
        "{\"name\":\"demo-plug\",\"dependencies\":{\"left-pad\":\"1\"}}\n",
    ),
    (".openclaw/extensions/demo-plug/node_modules/left-pad/index.js", "// reinstalled by npm\n"),
    (".openclaw/extensions/demo-plug/node_modules/left-pad/package.json", "{\"name\":\"left-pad\"}\n"),
    (".openclaw/skills/my-skill/SKILL.md", "---\nname: my-skill\n---\nSay hello.\n"),
    (".openclaw/workspace/AGENTS.md", "# Agents\n"),
    (".openclaw/workspace/SOUL.md", "FAKE soul"),
    (".openclaw/workspace/MEMORY.md", "Sam likes tea.\nThe door code is FAKE-1234.\n"),
    (".openclaw/workspace/memory/2026-09-30.md", "Went to Köln.\n"),
    (".openclaw/workspace/Notizen für morgen.md", "- Blumen gießen\n"),
    (".openclaw/workspace/leer.txt", ""),
    ("projects/research-ws/SOUL.md", "FAKE soul"),
    ("projects/research-ws/MEMORY.md", "Compares tea prices.\n"),
    ("projects/research-ws/data/Übersicht 2026.csv", "Sorte;Preis\nAssam;4,20\n"),
    // Outside every root: not OpenClaw's.
    ("Documents/Steuer 2026.txt", "not for the backup\n"),
    ("projects/other/README.md", "not for the backup\n"),
    (".bashrc", "# not for the backup\n"),
];

const CONFIG: &str = r"// Sam's configuration. Comments must survive everything.
{
  agents: {
    defaults: { model: { primary: 'mockai/mock-1' } },
    entries: {
      main: { name: 'main' }, // workspace in the state directory
      research: {
        name: 'research',
        workspace: '~/projects/research-ws',
      },
    },
  },
  /* The token is fake,
     and so is everything else here. */
  gateway: { mode: 'local', port: 18789, auth: { mode: 'token', token: 'FAKE-gateway-token' } },
  models: { providers: { mockai: { baseUrl: 'http://127.0.0.1:9911/v1', apiKey: '${WEATHER_KEY}' } } },
  channels: { $include: './include/channels.json5' },
  meta: { lastTouchedVersion: '2026.9.6' },
}
";

const CONFIG_BEFORE: &str = r#"{
  "agents": { "entries": { "main": { "name": "main" } } },
  "gateway": { "mode": "local", "auth": { "mode": "token", "token": "FAKE-older-token" } },
  "meta": { "lastTouchedVersion": "2026.9.6" }
}
"#;

const CHANNELS: &str = "{
  telegram: { botToken: 'FAKE-bot-token' }, // included file
}
";
