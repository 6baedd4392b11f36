"""Run by the environment of erpnext-mcp: starts its MCP server and calls the tools that come line
by line, as a program with a language model does.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from fastmcp import Client
from fastmcp.client.transports import StdioTransport


async def main() -> None:
    server = str(Path(sys.executable).with_name("erpnext-mcp"))
    transport = StdioTransport(command=server, args=[], env=dict(os.environ))
    async with Client(transport) as client:
        for line in sys.stdin:
            name, given = json.loads(line)
            result = await client.call_tool(name, given, raise_on_error=False)
            text = "".join(one.text for one in result.content)
            whole = result.structured_content
            if result.is_error:
                told = {"error": "ToolError", "said": text}
            elif whole is None:  # a tool that does not say what it gives has it in its text alone
                told = {"result": json.loads(text) if text else []}
            else:
                told = {"result": whole["result"] if set(whole) == {"result"} else whole}
            print(json.dumps(told), flush=True)


asyncio.run(main())
